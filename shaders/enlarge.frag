#version 330 core
// A smaller picture drawn over the whole view.
in vec2 screen;

uniform sampler2D picture;

out vec4 color;

void main() {
    color = vec4(texture(picture, screen).rgb, 1.0);
}
