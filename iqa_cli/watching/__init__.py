"""Pictures as they arrive in folders: which are complete, and when. No torch, no command line."""
