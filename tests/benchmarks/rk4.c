/* The first number of a predator-prey model after some steps of the classical Runge-Kutta method, and
   its derivatives by the model's four numbers and the two that it starts with: what loops.py holds the
   compiler against. A vector holds eight rows. The way back goes through the states that the way there
   has kept, and computes what is between two of them again. */
#include <stdint.h>
typedef double V __attribute__((vector_size(64), aligned(8)));

void rk4(int64_t steps, double h, const V *in, V *restrict state, V *restrict out)
{
    V a = in[0], b = in[1], c = in[2], d = in[3], x = in[4], y = in[5];
#define SLOPE_X(x, y) ((a - b * (y)) * (x))
#define SLOPE_Y(x, y) ((d * (x) - c) * (y))
    for (int64_t t = 0; t < steps; t++) {
        state[2 * t] = x, state[2 * t + 1] = y;
        V p1 = SLOPE_X(x, y), q1 = SLOPE_Y(x, y);
        V x2 = x + h / 2 * p1, y2 = y + h / 2 * q1, p2 = SLOPE_X(x2, y2), q2 = SLOPE_Y(x2, y2);
        V x3 = x + h / 2 * p2, y3 = y + h / 2 * q2, p3 = SLOPE_X(x3, y3), q3 = SLOPE_Y(x3, y3);
        V x4 = x + h * p3, y4 = y + h * q3, p4 = SLOPE_X(x4, y4), q4 = SLOPE_Y(x4, y4);
        x += h / 6 * (p1 + 2 * p2 + 2 * p3 + p4);
        y += h / 6 * (q1 + 2 * q2 + 2 * q3 + q4);
    }
    out[0] = x;

    V ga = {}, gb = {}, gc = {}, gd = {}, gx = {}, gy = {};
    gx += 1;
/* Adds what a slope at (x, y) hands on: of its derivatives p and q by the two numbers to (u, v). */
#define BACK(x, y, p, q)                              \
    V u = (p) * (a - b * (y)) + (q) * (d * (y));      \
    V v = (q) * (d * (x) - c) - (p) * (b * (x));      \
    ga += (p) * (x), gb -= (p) * ((x) * (y));         \
    gd += (q) * ((x) * (y)), gc -= (q) * (y);
    for (int64_t t = steps - 1; t >= 0; t--) {
        V x1 = state[2 * t], y1 = state[2 * t + 1];
        V x2 = x1 + h / 2 * SLOPE_X(x1, y1), y2 = y1 + h / 2 * SLOPE_Y(x1, y1);
        V x3 = x1 + h / 2 * SLOPE_X(x2, y2), y3 = y1 + h / 2 * SLOPE_Y(x2, y2);
        V x4 = x1 + h * SLOPE_X(x3, y3), y4 = y1 + h * SLOPE_Y(x3, y3);
        V p4 = h / 6 * gx, q4 = h / 6 * gy, p3 = 2 * p4, q3 = 2 * q4;
        V p2 = p3, q2 = q3, p1 = p4, q1 = q4;
        { BACK(x4, y4, p4, q4) gx += u, gy += v, p3 += h * u, q3 += h * v; }
        { BACK(x3, y3, p3, q3) gx += u, gy += v, p2 += h / 2 * u, q2 += h / 2 * v; }
        { BACK(x2, y2, p2, q2) gx += u, gy += v, p1 += h / 2 * u, q1 += h / 2 * v; }
        { BACK(x1, y1, p1, q1) gx += u, gy += v; }
    }
    out[1] = ga, out[2] = gb, out[3] = gc, out[4] = gd, out[5] = gx, out[6] = gy;
}
