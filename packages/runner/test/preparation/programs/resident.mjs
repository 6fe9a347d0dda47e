// A child that takes memory outside of the heap.
const kept = [];
setInterval(() => kept.push(Buffer.alloc(8 * 1024 * 1024, 1)), 1);
