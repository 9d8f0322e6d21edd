"""From a `Program` to machine code: its LLVM IR, the processor, and the loop over rows."""
