#version 330 core
// Nothing but the backdrop.
in vec2 screen;

#include "backdrop.glsl"

out vec4 color;

void main() {
    color = vec4(backdrop(), 1.0);
}
