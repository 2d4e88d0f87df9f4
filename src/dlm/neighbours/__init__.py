"""What other programs plug in: a server of tools (MCP), and a plugin for the command `llm`."""
