// The kernel as a plugin of Extism, on the functions of its kernel alone: decimal digits in, decimal digits out.
import { primes } from "./kernel";

@external("extism:host/env", "input_length")
declare function inputLength(): u64;
@external("extism:host/env", "input_load_u8")
declare function inputByte(at: u64): u32;
@external("extism:host/env", "alloc")
declare function allocate(bytes: u64): u64;
@external("extism:host/env", "store_u8")
declare function storeByte(at: u64, value: u32): void;
@external("extism:host/env", "output_set")
declare function setOutput(at: u64, bytes: u64): void;

export function run(): i32 {
  let rounds: i32 = 0;
  const length = inputLength();
  for (let i: u64 = 0; i < length; i++) rounds = rounds * 10 + <i32>inputByte(i) - 48;
  const count = primes(rounds);
  let digits: u64 = 1;
  for (let rest = count / 10; rest > 0; rest /= 10) digits++;
  const at = allocate(digits);
  let rest = count;
  for (let i = digits; i > 0; i--) {
    storeByte(at + i - 1, 48 + rest % 10);
    rest /= 10;
  }
  setOutput(at, digits);
  return 0;
}
