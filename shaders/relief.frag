#version 330 core
// From heights to what the face shader reads: height, slopes and cavity.
const float OFF_SKIN = 1e8;  // heights above this mean: no skin here

uniform sampler2D heights;  // mm

out vec4 relief;  // mm, mm per window to the right, mm per window downwards, mm that the surroundings stand higher

float height_at(ivec2 at) {
    return texelFetch(heights, clamp(at, ivec2(0), textureSize(heights, 0) - 1), 0).r;
}

float known(float height, float otherwise) {
    return height < OFF_SKIN ? height : otherwise;
}

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    float middle = height_at(at);
    if (middle >= OFF_SKIN) {
        relief = vec4(0.0);
        return;
    }
    float right = known(height_at(at + ivec2(1, 0)), middle), left = known(height_at(at - ivec2(1, 0)), middle);
    float below = known(height_at(at + ivec2(0, 1)), middle), above = known(height_at(at - ivec2(0, 1)), middle);
    vec2 slopes = 0.5 * vec2(right - left, below - above) * vec2(textureSize(heights, 0));
    relief = vec4(middle, slopes, 0.25 * (right + left + below + above) - middle);
}
