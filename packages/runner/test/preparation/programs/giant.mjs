// A child that announces four gigabytes and goes on sending.
process.stdout.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
setInterval(() => process.stdout.write(Buffer.alloc(65_536)), 1);
