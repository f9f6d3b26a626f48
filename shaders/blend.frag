#version 330 core
// Four key maps, each by its share at this point of the skin: shares are interpolated between the vertices. The passes of
// all groups of four add up to the blended map.
// A pass over the pixels, not over the mesh: its triangles are smaller than the blocks that GPUs shade, above all llvmpipe.
const int SHARES_WIDTH_BITS = 10;
const float OFF_SKIN = 1e9;

uniform usampler2D table;      // see blend_table.frag and blend_ring.frag
uniform sampler2D shares;      // texel (vertex * groups + group): shares of four keys
uniform sampler2DArray maps;   // mm, as large as the target: the maps of this group
uniform float least_share;     // smaller ones are skipped: 0 for the exact sum
uniform int groups;
uniform int group;

out float blended_mm;

vec4 share_of(uint vertex) {
    int texel = (int(vertex) - 1) * groups + group;
    return texelFetch(shares, ivec2(texel & ((1 << SHARES_WIDTH_BITS) - 1), texel >> SHARES_WIDTH_BITS), 0);
}

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    uvec4 entry = texelFetch(table, at, 0);
    if (entry.x == 0u) {
        if (entry.y == 0u) {
            blended_mm = OFF_SKIN;
            return;
        }
        at = ivec2(entry.zy) - 1;
        entry = texelFetch(table, at, 0);
    }
    vec3 weight = vec3(float(entry.w & 65535u), float(entry.w >> 16), 0.0) / 65535.0;
    weight.z = 1.0 - weight.x - weight.y;
    vec4 share = weight.x * share_of(entry.x) + weight.y * share_of(entry.y) + weight.z * share_of(entry.z);
    float sum = 0.0;
    for (int layer = 0; layer < 4; ++layer)
        if (share[layer] > least_share) sum += share[layer] * texelFetch(maps, ivec3(at, layer), 0).r;
    blended_mm = sum;
}
