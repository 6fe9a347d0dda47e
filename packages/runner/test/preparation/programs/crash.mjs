// A child that dies at once.
process.abort();
