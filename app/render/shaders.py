"""GLSL of the two passes that draw the fluid; renderer.py says what goes in and out.

All that is costly happens at two texels per cell and in eight bits; the second pass touches only the pixels near edges,
all others are an enlarged copy. On software OpenGL a frame takes 17 instead of 40 ms.

Of N phases N - 1 fractions are carried, and the last is what they leave of 1: the first three share a texture with the
solids, the next four, where there are so many, have a second one. `source` puts N in, so that loops unroll.
"""

VERTEX = """#version 330 core
layout(location = 0) in vec2 place;  // 0..1 over the picture
out vec2 uv;
void main() {
    uv = place;
    gl_Position = vec4(2.0 * place - 1.0, 0.0, 1.0);
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

# What an edge is: nothing but a change of colour where it is drawn later, and else as wide as a pixel.
HARD = """
float edge(float level) { return step(0.0, level); }
float contour(float level) { return 0.0; }
"""
SHARP = """
float edge(float level) { return clamp(level / max(fwidth(level), 1e-5) + 0.5, 0.0, 1.0); }  // 0 to 1 at its zero
float contour(float level) { return 1.0 - clamp(abs(level) / max(fwidth(level), 1e-5) - 0.4, 0.0, 1.0); }
"""

# The colour of a place: phases or a field, and solids over them.
PAINTED = (
    FRACTIONS
    + """
in vec2 uv;
uniform vec3 phase_color[PHASES];
uniform int show_field;
uniform vec3 stone;

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
    for (int k = 0; k < PHASES; ++k) line = max(line, contour(lead[k]));
    return mix(tone, vec3(dot(tone, vec3(0.3, 0.6, 0.1)) > 0.5 ? 0.0 : 1.0), 0.35 * line);
}

// light: white added inside, depth inside, shadow outside, light on solids;  or the field's colour
vec3 painted(Mix m, vec4 light) {
    float solid = m.first.a;
    vec3 fluid = show_field == 1 ? field(m, light.rgb) : liquid(m, light);
    vec3 rock = stone * (0.96 + 0.06 * uv.y) + 0.32 * (light.a - 0.5);
    fluid *= 1.0 - 0.22 * smoothstep(0.0, 0.5, solid);
    return mix(fluid, rock, edge(solid - 0.5));
}
"""
)

# First pass, at the texels: how the light falls, and what that looks like where no edge is near.
LIGHT = (
    HARD
    + PAINTED
    + """
layout(location = 0) out vec4 light;
layout(location = 1) out vec4 plain;
uniform sampler2D fine, fine_more, around, tone;
uniform vec2 cell;  // in uv

const vec2 SUN = vec2(-0.5, 0.866);  // from the upper left, as on a drawing board
vec2 at;
vec4 read(sampler2D image) { return texture(image, at); }
Mix mix_at(vec2 place) { at = place; return MIX(read, fine); }

vec4 shares(Mix m) {
    vec2 blur = texture(around, uv).xy;
    vec2 h = 0.5 * cell;
    Mix e = mix_at(uv + vec2(h.x, 0.0)), w = mix_at(uv - vec2(h.x, 0.0));
    Mix n = mix_at(uv + vec2(0.0, h.y)), s = mix_at(uv - vec2(0.0, h.y));
    vec2 slope = vec2(heavy(e) - heavy(w), heavy(n) - heavy(s));  // per cell
    float steep = length(slope);
    float facing = dot(-slope / max(steep, 1e-3), SUN);
    float depth = (heavy(m) - 0.5) / max(steep, 0.05);  // in cells, positive inside the heavy phase

    float glow = 1.0 - smoothstep(0.45, 1.0, blur.x);
    float deep = smoothstep(0.55, 1.0, blur.y);
    float band = smoothstep(-0.05, 0.35, depth) * (1.0 - smoothstep(0.35, 1.15, depth)) * smoothstep(0.08, 0.3, steep);
    float lit = max(facing, 0.0);
    float shadow = dot(texture(around, uv + SUN * cell * 1.6).xy, vec2(0.6, 0.4));
    vec2 rise = vec2(e.first.a - w.first.a, n.first.a - s.first.a);
    return vec4(
        0.26 * glow * (1.0 - 0.75 * deep) + 0.36 * band * lit * lit,
        0.75 * deep + 0.5 * band * max(-facing, 0.0),
        smoothstep(0.05, 0.75, shadow),
        0.5 + 0.5 * clamp(dot(-rise, SUN), -1.0, 1.0)
    );
}

void main() {
    Mix m = mix_at(uv);
    light = show_field == 1 ? vec4(texture(tone, uv).rgb, 0.5) : shares(m);
    plain = vec4(painted(m, light), 1.0);
}
"""
)

# Second pass, the pixels near edges.
PAINT = (
    SHARP
    + PAINTED
    + """
out vec4 color;
uniform sampler2D fine, fine_more, light;

vec4 read(sampler2D image) { return texture(image, uv); }

void main() { color = vec4(painted(MIX(read, fine), texture(light, uv)), 1.0); }
"""
)


def source(shader: str, phases: int) -> str:
    """The source of a fragment shader for this number of phases."""
    return f"#version 330 core\n#define PHASES {phases}\n{shader}"
