"""The wire between an engine and whoever watches or steers it: messages, server, client."""
