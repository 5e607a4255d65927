"""An embedded stand-in for BinAssistMCP, to try the gateway without Binary Ninja."""
