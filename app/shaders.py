"""GLSL of the three passes that draw the fluid; render.py says what goes in and out.

All that is costly happens in the first two, at a few texels per cell and in eight bits; the last, which touches every
pixel of the window, reads two texels and mixes. On software OpenGL that is the difference between 60 and 6 ms.
"""

VERTEX = """#version 330 core
out vec2 uv;
void main() {  // one triangle that covers the screen
    uv = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    gl_Position = vec4(2.0 * uv - 1.0, 0.0, 1.0);
}
"""

# Of up to four phases the first three fractions are carried; they sum to 1.
HEAVINESS = """
uniform vec4 heaviness;  // of every phase, 0 (lightest) to 1
float heavy(vec3 f) { return dot(f, heaviness.rgb - heaviness.a) + heaviness.a; }
"""

# Cubic B-spline by four bilinear taps (Sigg and Hadwiger, GPU Gems 2, ch. 20).
SPLINE = """
vec4 spline(sampler2D image, vec2 uv, int level) {
    float lod = float(level);
    vec2 size = vec2(textureSize(image, level));
    vec2 x = uv * size - 0.5;
    vec2 base = floor(x), t = x - base;
    vec2 s = 1.0 - t;
    vec2 w0 = s * s * s / 6.0, w3 = t * t * t / 6.0;
    vec2 w1 = 2.0 / 3.0 - 0.5 * t * t * (2.0 - t);
    vec2 low = w0 + w1, high = 1.0 - low;
    vec2 a = (base - 0.5 + w1 / low) / size;
    vec2 b = (base + 1.5 + w3 / high) / size;
    return low.y * (low.x * textureLod(image, a, lod) + high.x * textureLod(image, vec2(b.x, a.y), lod))
         + high.y * (low.x * textureLod(image, vec2(a.x, b.y), lod) + high.x * textureLod(image, b, lod));
}
"""

# First pass, fine: the smooth surfaces of which the last pass draws the level sets.
RESAMPLE = (
    """#version 330 core
in vec2 uv;
layout(location = 0) out vec4 fine;     // three fractions, solid
layout(location = 1) out vec4 around;   // heaviness near by, heaviness around, -, field as 0..1
uniform sampler2D cells;    // three fractions, solid, stored as (value + 1/2) / 2
uniform sampler2D values;   // a field
uniform vec2 field_range;   // low, 1 / (high - low)
uniform int show_field;
uniform int near_level, far_level;
"""
    + HEAVINESS
    + SPLINE
    + """
void main() {
    fine = 2.0 * spline(cells, uv, 0) - 0.5;
    float field = show_field == 1 ? (spline(values, uv, 0).r - field_range.x) * field_range.y : 0.0;
    vec3 near = 2.0 * textureLod(cells, uv, float(near_level)).rgb - 0.5;
    vec3 far = 2.0 * spline(cells, uv, far_level).rgb - 0.5;
    around = vec4(heavy(near), heavy(far), 0.0, field);
}
"""
)

# Second pass, fine: how the light falls, as three shares that the last pass mixes into the phases' colours.
LIGHT = (
    """#version 330 core
in vec2 uv;
out vec4 light;  // white added inside, depth inside, shadow outside, light on solids;  or the field's colour
uniform sampler2D fine, around, colormap;
uniform vec2 cell;  // in uv
uniform int show_field;
"""
    + HEAVINESS
    + """
const vec2 SUN = vec2(-0.5, 0.866);  // from the upper left, as on a drawing board

void main() {
    vec4 blur = texture(around, uv);
    if (show_field == 1) {
        light = vec4(texture(colormap, vec2(blur.a * 255.0 / 256.0 + 0.5 / 256.0, 0.5)).rgb, 0.5);
        return;
    }
    vec2 h = 0.5 * cell;
    vec4 f = texture(fine, uv);
    vec4 e = texture(fine, uv + vec2(h.x, 0.0)), w = texture(fine, uv - vec2(h.x, 0.0));
    vec4 n = texture(fine, uv + vec2(0.0, h.y)), s = texture(fine, uv - vec2(0.0, h.y));
    vec2 slope = vec2(heavy(e.rgb) - heavy(w.rgb), heavy(n.rgb) - heavy(s.rgb));  // per cell
    float steep = length(slope);
    float facing = dot(-slope / max(steep, 1e-3), SUN);
    float depth = (heavy(f.rgb) - 0.5) / max(steep, 0.05);  // in cells, positive inside the heavy phase

    float glow = 1.0 - smoothstep(0.45, 1.0, blur.x);
    float deep = smoothstep(0.55, 1.0, blur.y);
    float band = smoothstep(0.02, 0.22, depth) * (1.0 - smoothstep(0.28, 0.85, depth)) * smoothstep(0.08, 0.3, steep);
    float lit = max(facing, 0.0);
    float shadow = dot(texture(around, uv + SUN * cell * 1.6).xy, vec2(0.6, 0.4));
    light.r = 0.26 * glow * (1.0 - 0.75 * deep) + 0.36 * band * lit * lit;
    light.g = 0.75 * deep + 0.5 * band * max(-facing, 0.0);
    light.b = smoothstep(0.05, 0.75, shadow);
    light.a = 0.5 + 0.5 * clamp(dot(-vec2(e.a - w.a, n.a - s.a), SUN), -1.0, 1.0);
}
"""
)

# Last pass, every pixel: sharp phases or a field, and solids over them. PHASES is put in, so that loops unroll.
PAINT = (
    """#version 330 core
in vec2 uv;
out vec4 color;
uniform sampler2D fine, light;
uniform vec3 phase_color[PHASES];
uniform int show_field;
uniform vec3 stone;
"""
    + HEAVINESS
    + """
// 0..1 across one pixel at the zero of `level`
float edge(float level) { return clamp(level / max(fwidth(level), 1e-5) + 0.5, 0.0, 1.0); }

vec3 body(int k, vec4 l) {
    vec3 c = phase_color[k];
    vec3 inside = (c + l.r * (1.0 - c)) * (1.0 - vec3(0.38, 0.33, 0.24) * l.g) * (0.95 + 0.08 * uv.y);
    vec3 outside = c * (0.955 + 0.045 * uv.y) * (1.0 - 0.15 * l.b);
    return mix(outside, inside, heaviness[k]);
}

vec3 liquid(vec3 carried, vec4 l) {
    float f[PHASES], share[PHASES];
    float last = 1.0, total = 1e-4;
    for (int k = 0; k < PHASES - 1; ++k) { f[k] = carried[k]; last -= carried[k]; }
    f[PHASES - 1] = last;
    for (int k = 0; k < PHASES; ++k) {
        float rival = 0.0;
        for (int i = 0; i < PHASES; ++i) if (i != k) rival = max(rival, f[i]);
        share[k] = edge(f[k] - rival);
        total += share[k];
    }
    vec3 result = vec3(0.0), mist = vec3(0.0);
    float light_share = 1.0, heavy_part = 1e-4;
    for (int k = 0; k < PHASES; ++k) {
        result += share[k] / total * body(k, l);
        light_share -= share[k] / total * heaviness[k];
        mist += heaviness[k] * f[k] * phase_color[k];
        heavy_part += heaviness[k] * f[k];
    }
    // spray thinner than half a cell has no surface; it shows as mist
    float thin = light_share * smoothstep(0.04, 0.5, heavy_part);
    return mix(result, mist / heavy_part, 0.42 * thin * thin);
}

vec3 field(vec3 f, vec3 tone) {
    float level = heavy(f) - 0.5;
    float line = 1.0 - clamp(abs(level) / max(fwidth(level), 1e-5) - 0.4, 0.0, 1.0);
    return mix(tone, vec3(dot(tone, vec3(0.3, 0.6, 0.1)) > 0.5 ? 0.0 : 1.0), 0.35 * line);
}

void main() {
    vec4 f = texture(fine, uv), l = texture(light, uv);
    vec3 fluid = show_field == 1 ? field(f.rgb, l.rgb) : liquid(f.rgb, l);
    vec3 rock = stone * (0.96 + 0.06 * uv.y) + 0.32 * (l.a - 0.5);
    fluid *= 1.0 - 0.22 * smoothstep(0.0, 0.5, f.a);
    color = vec4(mix(fluid, rock, edge(f.a - 0.5)), 1.0);
}
"""
)
