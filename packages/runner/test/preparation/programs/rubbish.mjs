// A child whose answer is a frame of the right length that holds no CBOR.
process.stdout.write(Buffer.concat([Buffer.from([0, 0, 0, 6]), Buffer.from([0xff, 0xff, 1, 2, 3, 4])]), () => process.exit(0));
