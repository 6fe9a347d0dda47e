// The computation that two hosts run, each in its own shell: the primes below 65,536, counted again and again.
const size: i32 = 65_536;
const marks = memory.data(65_536);

export function primes(rounds: i32): i32 {
  let count = 0;
  for (let round = 0; round < rounds; round++) {
    memory.fill(marks, 1, size);
    for (let i = 2; i * i < size; i++) {
      if (load<u8>(marks + i) == 0) continue;
      for (let j = i * i; j < size; j += i) store<u8>(marks + j, 0);
    }
    for (let i = 2; i < size; i++) count += load<u8>(marks + i);
  }
  return count;
}
