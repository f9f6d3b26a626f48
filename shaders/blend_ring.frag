#version 330 core
// The finished table: pixels just off the skin point to the nearest pixel on it, so that the blended map goes on a little
// beyond the chart's border and bilinear samples there do not pull in zeros.
const int REACH = 2;  // pixels

uniform usampler2D table;  // see blend_table.frag

out uvec4 entry;  // off the skin: 0, then 1 + row and 1 + column of the pixel to take instead, 0 where there is none

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy), last = textureSize(table, 0) - 1;
    entry = texelFetch(table, at, 0);
    if (entry.x != 0u) return;
    int nearest = 2 * REACH * REACH + 1;
    for (int y = max(at.y - REACH, 0); y <= min(at.y + REACH, last.y); ++y) {
        for (int x = max(at.x - REACH, 0); x <= min(at.x + REACH, last.x); ++x) {
            ivec2 away = ivec2(x, y) - at;
            int distance_squared = away.x * away.x + away.y * away.y;
            if (distance_squared < nearest && texelFetch(table, ivec2(x, y), 0).x != 0u) {
                nearest = distance_squared;
                entry = uvec4(0u, uint(y) + 1u, uint(x) + 1u, 0u);
            }
        }
    }
}
