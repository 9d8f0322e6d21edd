/* The mean hinge loss of a perceptron 2-K-K-1 with relu, and its gradient: what native.py holds the
   compiler against. Parameters are in the order of model.parameters(): of each neuron its weights,
   then its bias. */
#include <stdint.h>
#ifndef K
#define K 16
#endif
#define PARAMETERS (3 * K + K * (K + 1) + K + 1)

double mlp(int64_t rows, const double *restrict p, const double *restrict x0,
           const double *restrict x1, const double *restrict target, double *restrict g)
{
    const double *p1 = p, *p2 = p1 + 3 * K, *p3 = p2 + K * (K + 1);
    double *g1 = g, *g2 = g1 + 3 * K, *g3 = g2 + K * (K + 1);
    double loss = 0;
    for (int k = 0; k < PARAMETERS; k++)
        g[k] = 0;
    for (int64_t row = 0; row < rows; row++) {
        double h1[K], h2[K], d1[K], d2[K];
        for (int j = 0; j < K; j++) {
            double s = p1[3 * j] * x0[row] + p1[3 * j + 1] * x1[row] + p1[3 * j + 2];
            h1[j] = s > 0 ? s : 0;
        }
        for (int j = 0; j < K; j++) {
            double s = p2[(K + 1) * j + K];
            for (int i = 0; i < K; i++)
                s += p2[(K + 1) * j + i] * h1[i];
            h2[j] = s > 0 ? s : 0;
        }
        double score = p3[K];
        for (int i = 0; i < K; i++)
            score += p3[i] * h2[i];
        double margin = 1 - target[row] * score;
        if (margin <= 0)
            continue; /* no loss, no gradient: what the compiled kernel cannot skip */
        loss += margin;

        double d = -target[row];
        for (int i = 0; i < K; i++) {
            g3[i] += d * h2[i];
            d2[i] = h2[i] > 0 ? d * p3[i] : 0;
        }
        g3[K] += d;
        for (int i = 0; i < K; i++)
            d1[i] = 0;
        for (int j = 0; j < K; j++) {
            for (int i = 0; i < K; i++) {
                g2[(K + 1) * j + i] += d2[j] * h1[i];
                d1[i] += d2[j] * p2[(K + 1) * j + i];
            }
            g2[(K + 1) * j + K] += d2[j];
        }
        for (int j = 0; j < K; j++) {
            double e = h1[j] > 0 ? d1[j] : 0;
            g1[3 * j] += e * x0[row];
            g1[3 * j + 1] += e * x1[row];
            g1[3 * j + 2] += e;
        }
    }
    for (int k = 0; k < PARAMETERS; k++)
        g[k] /= rows;
    return loss / rows;
}
