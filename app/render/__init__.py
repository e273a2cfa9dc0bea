"""SceneEditor the fluid with OpenGL: fields, colour maps, interfaces."""
