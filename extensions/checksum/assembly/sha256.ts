/**
 * SHA-256 (FIPS 180-4) in AssemblyScript: a handler that computes, compiled to a few kilobytes.
 */
const roundConstants: StaticArray<u32> = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
  0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
  0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
  0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
  0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
  0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

const schedule = new StaticArray<u32>(64);

function compress(state: StaticArray<u32>, data: Uint8Array, offset: i32): void {
  for (let index = 0; index < 16; index++) schedule[index] = bswap(load<u32>(data.dataStart + <usize>(offset + index * 4)));
  for (let index = 16; index < 64; index++) {
    const early = schedule[index - 15];
    const late = schedule[index - 2];
    const small0 = rotr(early, 7) ^ rotr(early, 18) ^ (early >> 3);
    const small1 = rotr(late, 17) ^ rotr(late, 19) ^ (late >> 10);
    schedule[index] = schedule[index - 16] + small0 + schedule[index - 7] + small1;
  }
  let a = state[0],
    b = state[1],
    c = state[2],
    d = state[3],
    e = state[4],
    f = state[5],
    g = state[6],
    h = state[7];
  for (let index = 0; index < 64; index++) {
    const sum1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    const first = h + sum1 + ((e & f) ^ (~e & g)) + roundConstants[index] + schedule[index];
    const sum0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    const second = sum0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

/** Lower-case hex. */
export function sha256(data: Uint8Array): string {
  const state: StaticArray<u32> = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
  const whole = data.length & ~63;
  for (let offset = 0; offset < whole; offset += 64) compress(state, data, offset);
  const rest = data.length - whole;
  const tail = new Uint8Array(rest < 56 ? 64 : 128);
  memory.copy(tail.dataStart, data.dataStart + <usize>whole, <usize>rest);
  tail[rest] = 0x80;
  store<u64>(tail.dataStart + <usize>(tail.length - 8), bswap(<u64>data.length * 8));
  for (let offset = 0; offset < tail.length; offset += 64) compress(state, tail, offset);
  let hex = "";
  for (let index = 0; index < 8; index++) hex += state[index].toString(16).padStart(8, "0");
  return hex;
}
