"""The window: HelloImGui's runner, shortcuts, help, tour and what its buttons write."""
