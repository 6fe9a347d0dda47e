// A child that ends without a word.
process.exit(0);
