/* Greedy decoding with llama2.c's own functions. Built by contestants/llama2c.ts with
 *   gcc -Ofast -march=native -DLLAMA2C_SOURCE='"/path/to/run.c"' llama2c_driver.c -lm
 * Arguments: checkpoint, tokens, first token. Each number n on standard input is answered, after
 * n generations, with one line: the tokens of the last. */
#define main llama2c_main
#include LLAMA2C_SOURCE
#undef main

static int most_likely(const float *logits, int count) {
    int best = 0;
    for (int i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int count = atoi(argv[2]), begin = atoi(argv[3]);
    int *tokens = calloc(count, sizeof(int));
    Transformer model;
    build_transformer(&model, argv[1]);
    long generations;
    while (scanf("%ld", &generations) == 1) {
        for (long i = 0; i < generations; i++) {
            int token = begin;
            for (int position = 0; position < count; position++) {
                token = most_likely(forward(&model, token, position), model.config.vocab_size);
                tokens[position] = token;
            }
        }
        for (int i = 0; i < count; i++) printf(i == 0 ? "%d" : " %d", tokens[i]);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
