"""GLSL of the three passes that draw the fluid; render.py says what goes in and out.

All that is costly happens in the first two, at a few texels per cell and in eight bits; the last, which touches every
pixel of the window, reads two texels and mixes. On software OpenGL that is the difference between 60 and 6 ms.

Of N phases N - 1 fractions are carried, and the last is what they leave of 1: the first three share a texture with the
solids, the next four, where there are so many, have a second one. `source` puts N in, so that loops unroll.
"""

VERTEX = """#version 330 core
out vec2 uv;
void main() {  // one triangle that covers the screen
    uv = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    gl_Position = vec4(2.0 * uv - 1.0, 0.0, 1.0);
}
"""

# What a place holds, as read from one texture or two.
FRACTIONS = """
#define WIDE (PHASES > 4)
uniform float heaviness[PHASES];  // of every phase, 0 (lightest) to 1
struct Mix { vec4 first, more; };  // three fractions and solid, four fractions
#if WIDE
#define MIX(fetch, image) Mix(fetch(image), fetch(image##_more))
#else
#define MIX(fetch, image) Mix(fetch(image), vec4(0.0))
#endif
float fraction(Mix m, int k) { return k < 3 ? m.first[min(k, 2)] : m.more[max(k - 3, 0)]; }
float heavy(Mix m) {
    float sum = heaviness[PHASES - 1];
    for (int k = 0; k < PHASES - 1; ++k) sum += fraction(m, k) * (heaviness[k] - heaviness[PHASES - 1]);
    return sum;
}
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
    FRACTIONS
    + SPLINE
    + """
in vec2 uv;
layout(location = 0) out vec4 fine;     // three fractions, solid
layout(location = 1) out vec4 around;   // heaviness near by, heaviness around, -, field as 0..1
uniform sampler2D cells;    // three fractions, solid, stored as (value + 1/2) / 2
uniform sampler2D values;   // a field
#if WIDE
layout(location = 2) out vec4 fine_more;  // four fractions
uniform sampler2D cells_more;
#endif
uniform vec2 field_range;   // low, 1 / (high - low)
uniform int show_field;
uniform int near_level, far_level;

vec4 here(sampler2D image) { return 2.0 * spline(image, uv, 0) - 0.5; }
vec4 near(sampler2D image) { return 2.0 * textureLod(image, uv, float(near_level)) - 0.5; }
vec4 far(sampler2D image) { return 2.0 * spline(image, uv, far_level) - 0.5; }

void main() {
    Mix m = MIX(here, cells);
    fine = m.first;
#if WIDE
    fine_more = m.more;
#endif
    float field = show_field == 1 ? (spline(values, uv, 0).r - field_range.x) * field_range.y : 0.0;
    around = vec4(heavy(MIX(near, cells)), heavy(MIX(far, cells)), 0.0, field);
}
"""
)

# Second pass, fine: how the light falls, as three shares that the last pass mixes into the phases' colours.
LIGHT = (
    FRACTIONS
    + """
in vec2 uv;
out vec4 light;  // white added inside, depth inside, shadow outside, light on solids;  or the field's colour
uniform sampler2D fine, fine_more, around, colormap;
uniform vec2 cell;  // in uv
uniform int show_field;

const vec2 SUN = vec2(-0.5, 0.866);  // from the upper left, as on a drawing board
vec2 at;
vec4 read(sampler2D image) { return texture(image, at); }
Mix mix_at(vec2 place) { at = place; return MIX(read, fine); }

void main() {
    vec4 blur = texture(around, uv);
    if (show_field == 1) {
        light = vec4(texture(colormap, vec2(blur.a * 255.0 / 256.0 + 0.5 / 256.0, 0.5)).rgb, 0.5);
        return;
    }
    vec2 h = 0.5 * cell;
    Mix e = mix_at(uv + vec2(h.x, 0.0)), w = mix_at(uv - vec2(h.x, 0.0));
    Mix n = mix_at(uv + vec2(0.0, h.y)), s = mix_at(uv - vec2(0.0, h.y));
    vec2 slope = vec2(heavy(e) - heavy(w), heavy(n) - heavy(s));  // per cell
    float steep = length(slope);
    float facing = dot(-slope / max(steep, 1e-3), SUN);
    float depth = (heavy(mix_at(uv)) - 0.5) / max(steep, 0.05);  // in cells, positive inside the heavy phase

    float glow = 1.0 - smoothstep(0.45, 1.0, blur.x);
    float deep = smoothstep(0.55, 1.0, blur.y);
    float band = smoothstep(0.02, 0.22, depth) * (1.0 - smoothstep(0.28, 0.85, depth)) * smoothstep(0.08, 0.3, steep);
    float lit = max(facing, 0.0);
    float shadow = dot(texture(around, uv + SUN * cell * 1.6).xy, vec2(0.6, 0.4));
    light.r = 0.26 * glow * (1.0 - 0.75 * deep) + 0.36 * band * lit * lit;
    light.g = 0.75 * deep + 0.5 * band * max(-facing, 0.0);
    light.b = smoothstep(0.05, 0.75, shadow);
    vec2 rise = vec2(e.first.a - w.first.a, n.first.a - s.first.a);
    light.a = 0.5 + 0.5 * clamp(dot(-rise, SUN), -1.0, 1.0);
}
"""
)

# Last pass, every pixel: sharp phases or a field, and solids over them.
PAINT = (
    FRACTIONS
    + """
in vec2 uv;
out vec4 color;
uniform sampler2D fine, fine_more, light;
uniform vec3 phase_color[PHASES];
uniform int show_field;
uniform vec3 stone;

vec4 read(sampler2D image) { return texture(image, uv); }

// 0..1 across one pixel at the zero of `level`
float edge(float level) { return clamp(level / max(fwidth(level), 1e-5) + 0.5, 0.0, 1.0); }

// every fraction, and by how much it exceeds its strongest rival
void contest(Mix m, out float f[PHASES], out float lead[PHASES]) {
    float last = 1.0, first = -1.0, second = -1.0;
    for (int k = 0; k < PHASES; ++k) {
        f[k] = k < PHASES - 1 ? fraction(m, k) : last;
        last -= f[k];
        second = max(second, min(first, f[k]));
        first = max(first, f[k]);
    }
    for (int k = 0; k < PHASES; ++k) lead[k] = f[k] < first ? f[k] - first : f[k] - second;
}

vec3 body(int k, vec4 l) {
    vec3 c = phase_color[k];
    vec3 inside = (c + l.r * (1.0 - c)) * (1.0 - vec3(0.38, 0.33, 0.24) * l.g) * (0.95 + 0.08 * uv.y);
    vec3 outside = c * (0.955 + 0.045 * uv.y) * (1.0 - 0.15 * l.b);
    return mix(outside, inside, heaviness[k]);
}

vec3 liquid(Mix m, vec4 l) {
    float f[PHASES], lead[PHASES];
    contest(m, f, lead);
    float total = 1e-4;
    vec3 result = vec3(0.0), mist = vec3(0.0);
    float heavy_share = 0.0, heavy_part = 1e-4;
    for (int k = 0; k < PHASES; ++k) {
        float share = edge(lead[k]);
        total += share;
        result += share * body(k, l);
        heavy_share += share * heaviness[k];
        mist += heaviness[k] * f[k] * phase_color[k];
        heavy_part += heaviness[k] * f[k];
    }
    // spray thinner than half a cell has no surface; it shows as mist
    float thin = (1.0 - heavy_share / total) * smoothstep(0.04, 0.5, heavy_part);
    return mix(result / total, mist / heavy_part, 0.42 * thin * thin);
}

vec3 field(Mix m, vec3 tone) {
    float f[PHASES], lead[PHASES];
    contest(m, f, lead);
    float line = 0.0;  // where phases meet
    for (int k = 0; k < PHASES; ++k) {
        line = max(line, 1.0 - clamp(abs(lead[k]) / max(fwidth(lead[k]), 1e-5) - 0.4, 0.0, 1.0));
    }
    return mix(tone, vec3(dot(tone, vec3(0.3, 0.6, 0.1)) > 0.5 ? 0.0 : 1.0), 0.35 * line);
}

void main() {
    Mix m = MIX(read, fine);
    vec4 l = texture(light, uv);
    float solid = m.first.a;
    vec3 fluid = show_field == 1 ? field(m, l.rgb) : liquid(m, l);
    vec3 rock = stone * (0.96 + 0.06 * uv.y) + 0.32 * (l.a - 0.5);
    fluid *= 1.0 - 0.22 * smoothstep(0.0, 0.5, solid);
    color = vec4(mix(fluid, rock, edge(solid - 0.5)), 1.0);
}
"""
)


def source(shader: str, phases: int) -> str:
    """A whole fragment shader for so many phases."""
    return f"#version 330 core\n#define PHASES {phases}\n{shader}"
