// A child that never answers: it spins.
for (;;);
