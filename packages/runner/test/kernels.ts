/**
 * Small computations in WebAssembly text that the metering bench times: each exports `run (param i32) (result i32)`.
 *
 * They are what metering costs most in different ways: calls (fib, sort), tight loops (sieve, matmul), straight arithmetic in
 * loops (sha256), and a dispatch loop over a table of branches (interpreter).
 */
export interface Kernel {
  readonly name: string;
  readonly source: string;
  readonly argument: number;
}

const fib = `(module (func $fib (export "run") (param i32) (result i32)
  (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))`;

const sieve = `(module (memory 32) (func (export "run") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $count i32)
  (memory.fill (i32.const 0) (i32.const 1) (local.get $n))
  (local.set $i (i32.const 2))
  (loop $outer
    (if (i32.lt_u (local.tee $j (i32.mul (local.get $i) (local.get $i))) (local.get $n)) (then
      (if (i32.load8_u (local.get $i)) (then
        (loop $inner
          (i32.store8 (local.get $j) (i32.const 0))
          (br_if $inner (i32.lt_u (local.tee $j (i32.add (local.get $j) (local.get $i))) (local.get $n))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $outer))))
  (local.set $i (i32.const 2))
  (loop $sum
    (local.set $count (i32.add (local.get $count) (i32.load8_u (local.get $i))))
    (br_if $sum (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
  (local.get $count)))`;

const matmul = `(module (memory 64)
  (func $cell (param $n i32) (param $i i32) (param $j i32) (result f64) (local $k i32) (local $s f64)
    (loop $dot
      (local.set $s (f64.add (local.get $s) (f64.mul
        (f64.load (i32.shl (i32.add (i32.mul (local.get $i) (local.get $n)) (local.get $k)) (i32.const 3)))
        (f64.load offset=1048576 (i32.shl (i32.add (i32.mul (local.get $k) (local.get $n)) (local.get $j)) (i32.const 3))))))
      (br_if $dot (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $n))))
    (local.get $s))
  (func (export "run") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $sum f64)
    (loop $fill
      (f64.store (i32.shl (local.get $i) (i32.const 3)) (f64.convert_i32_u (local.get $i)))
      (f64.store offset=1048576 (i32.shl (local.get $i) (i32.const 3)) (f64.const 0.5))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.mul (local.get $n) (local.get $n)))))
    (local.set $i (i32.const 0))
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $sum (f64.add (local.get $sum) (call $cell (local.get $n) (local.get $i) (local.get $j))))
        (br_if $columns (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $n))))
      (br_if $rows (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i32.trunc_sat_f64_s (f64.div (local.get $sum) (f64.const 1000)))))`;

const rotate = (value: string, bits: number): string => `(i32.rotr ${value} (i32.const ${bits}))`;
const roundConstants = (): string => {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < 64; candidate++) if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  return primes
    .map((prime) => {
      const word = Math.floor((Math.cbrt(prime) % 1) * 2 ** 32);
      return [0, 8, 16, 24].map((shift) => `\\${((word >>> shift) & 0xff).toString(16).padStart(2, "0")}`).join("");
    })
    .join("");
};

const sha256 = `(module (memory 4) (data (i32.const 0) "${roundConstants()}")
  (func $block (param $at i32) (local $t i32) (local $p i32) (local $x i32) (local $y i32) (local $t1 i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $f i32) (local $g i32) (local $h i32)
    (loop $copy
      (i32.store offset=512 (local.get $t) (i32.load (i32.add (local.get $at) (local.get $t))))
      (br_if $copy (i32.lt_u (local.tee $t (i32.add (local.get $t) (i32.const 4))) (i32.const 64))))
    (loop $schedule
      (local.set $x (i32.load offset=452 (local.get $t)))
      (local.set $y (i32.load offset=504 (local.get $t)))
      (i32.store offset=512 (local.get $t) (i32.add
        (i32.add (i32.load offset=448 (local.get $t)) (i32.xor (i32.xor ${rotate("(local.get $x)", 7)} ${rotate("(local.get $x)", 18)}) (i32.shr_u (local.get $x) (i32.const 3))))
        (i32.add (i32.load offset=484 (local.get $t)) (i32.xor (i32.xor ${rotate("(local.get $y)", 17)} ${rotate("(local.get $y)", 19)}) (i32.shr_u (local.get $y) (i32.const 10))))))
      (br_if $schedule (i32.lt_u (local.tee $t (i32.add (local.get $t) (i32.const 4))) (i32.const 256))))
    ${"abcdefgh"
      .split("")
      .map((name, index) => `(local.set $${name} (i32.load offset=${1024 + index * 4} (i32.const 0)))`)
      .join(" ")}
    (local.set $t (i32.const 0))
    (loop $rounds
      (local.set $t1 (i32.add (i32.add (i32.add (local.get $h) (i32.xor (i32.xor ${rotate("(local.get $e)", 6)} ${rotate("(local.get $e)", 11)}) ${rotate("(local.get $e)", 25)}))
        (i32.xor (i32.and (local.get $e) (local.get $f)) (i32.and (i32.xor (local.get $e) (i32.const -1)) (local.get $g))))
        (i32.add (i32.load (local.get $t)) (i32.load offset=512 (local.get $t)))))
      (local.set $x (i32.add (i32.xor (i32.xor ${rotate("(local.get $a)", 2)} ${rotate("(local.get $a)", 13)}) ${rotate("(local.get $a)", 22)})
        (i32.xor (i32.xor (i32.and (local.get $a) (local.get $b)) (i32.and (local.get $a) (local.get $c))) (i32.and (local.get $b) (local.get $c)))))
      (local.set $h (local.get $g)) (local.set $g (local.get $f)) (local.set $f (local.get $e))
      (local.set $e (i32.add (local.get $d) (local.get $t1)))
      (local.set $d (local.get $c)) (local.set $c (local.get $b)) (local.set $b (local.get $a))
      (local.set $a (i32.add (local.get $t1) (local.get $x)))
      (br_if $rounds (i32.lt_u (local.tee $t (i32.add (local.get $t) (i32.const 4))) (i32.const 256))))
    ${"abcdefgh"
      .split("")
      .map(
        (name, index) =>
          `(i32.store offset=${1024 + index * 4} (i32.const 0) (i32.add (i32.load offset=${1024 + index * 4} (i32.const 0)) (local.get $${name})))`,
      )
      .join(" ")})
  (func (export "run") (param $blocks i32) (result i32)
    (loop $next
      (call $block (i32.add (i32.const 2048) (i32.shl (i32.and (local.get $blocks) (i32.const 1023)) (i32.const 6))))
      (br_if $next (local.tee $blocks (i32.sub (local.get $blocks) (i32.const 1)))))
    (i32.load (i32.const 1024))))`;

/** A register machine of eight instructions; its program is a nested counting loop with a little arithmetic. */
const interpreter = `(module (memory 1)
  (data (i32.const 0) "\\01\\03\\00\\04\\02\\05\\01\\06\\03\\02\\07\\01\\00")
  (func (export "run") (param $limit i32) (result i32) (local $pc i32) (local $acc i32) (local $x i32) (local $steps i32)
    (block $halt
      (loop $next
        (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
        (br_if $halt (i32.ge_u (local.get $steps) (local.get $limit)))
        (block $restart (block $jump (block $xor (block $shift (block $store (block $load (block $add (block $inc
          (br_table $inc $add $load $store $shift $xor $jump $restart (i32.load8_u (local.get $pc))))
          (local.set $x (i32.add (local.get $x) (i32.const 1))) (local.set $pc (i32.add (local.get $pc) (i32.const 1))) (br $next))
          (local.set $acc (i32.add (local.get $acc) (local.get $x))) (local.set $pc (i32.add (local.get $pc) (i32.const 1))) (br $next))
          (local.set $x (i32.load offset=64 (i32.and (local.get $x) (i32.const 252)))) (local.set $pc (i32.add (local.get $pc) (i32.const 1))) (br $next))
          (i32.store offset=64 (i32.and (local.get $acc) (i32.const 252)) (local.get $x)) (local.set $pc (i32.add (local.get $pc) (i32.const 1))) (br $next))
          (local.set $acc (i32.rotl (local.get $acc) (i32.const 5))) (local.set $pc (i32.add (local.get $pc) (i32.const 1))) (br $next))
          (local.set $acc (i32.xor (local.get $acc) (local.get $x))) (local.set $pc (i32.add (local.get $pc) (i32.const 1))) (br $next))
          (local.set $pc (i32.add (local.get $pc) (i32.add (i32.const 1) (i32.and (local.get $acc) (i32.const 1))))) (br $next))
        (local.set $pc (i32.const 0))
        (br $next)))
    (local.get $acc)))`;

const sort = `(module (memory 16)
  (func $sort (param $low i32) (param $high i32) (local $i i32) (local $j i32) (local $pivot i32) (local $x i32)
    (if (i32.ge_s (local.get $low) (local.get $high)) (then (return)))
    (local.set $pivot (i32.load (i32.shl (i32.shr_u (i32.add (local.get $low) (local.get $high)) (i32.const 1)) (i32.const 2))))
    (local.set $i (local.get $low)) (local.set $j (local.get $high))
    (loop $part
      (loop $up (if (i32.lt_s (i32.load (i32.shl (local.get $i) (i32.const 2))) (local.get $pivot)) (then (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $up))))
      (loop $down (if (i32.gt_s (i32.load (i32.shl (local.get $j) (i32.const 2))) (local.get $pivot)) (then (local.set $j (i32.sub (local.get $j) (i32.const 1))) (br $down))))
      (if (i32.le_s (local.get $i) (local.get $j)) (then
        (local.set $x (i32.load (i32.shl (local.get $i) (i32.const 2))))
        (i32.store (i32.shl (local.get $i) (i32.const 2)) (i32.load (i32.shl (local.get $j) (i32.const 2))))
        (i32.store (i32.shl (local.get $j) (i32.const 2)) (local.get $x))
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (local.set $j (i32.sub (local.get $j) (i32.const 1)))))
      (br_if $part (i32.le_s (local.get $i) (local.get $j))))
    (call $sort (local.get $low) (local.get $j))
    (call $sort (local.get $i) (local.get $high)))
  (func (export "run") (param $n i32) (result i32) (local $i i32) (local $seed i32)
    (local.set $seed (i32.const 12345))
    (loop $fill
      (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1103515245)) (i32.const 12345)))
      (i32.store (i32.shl (local.get $i) (i32.const 2)) (i32.shr_s (local.get $seed) (i32.const 8)))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (call $sort (i32.const 0) (i32.sub (local.get $n) (i32.const 1)))
    (i32.load (i32.shl (i32.shr_u (local.get $n) (i32.const 1)) (i32.const 2)))))`;

export const kernels: readonly Kernel[] = [
  { name: "fib", source: fib, argument: 27 },
  { name: "sieve", source: sieve, argument: 1_000_000 },
  { name: "matmul", source: matmul, argument: 150 },
  { name: "sha256", source: sha256, argument: 12_000 },
  { name: "interpreter", source: interpreter, argument: 2_000_000 },
  { name: "sort", source: sort, argument: 60_000 },
];
