/* Replays files through a fuzz target without libFuzzer: `hello_replay FILE|FOLDER...`.
 * Linked with one X_fuzz.c, built under sanitizers, so that every corpus is a plain test of `make test`.
 * Each input lies in a block of exactly its size, so that a read past its end is seen. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_inputs;

static int replay_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);

    if (!f || !data || fread(data, 1, size, f) != size) {
        perror(path);
        exit(2);
    }
    fclose(f);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    n_inputs++;
    return 0;
}

static int replay_path(const char *path);

static int replay_folder(const char *path)
{
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort), rc = 0;

    for (int i = 0; i < n; i++) {
        char sub[4096];
        if (names[i]->d_name[0] != '.') {
            snprintf(sub, sizeof(sub), "%s/%s", path, names[i]->d_name);
            rc |= replay_path(sub);
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return rc;
}

static int replay_path(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        perror(path);
        return 1;
    }
    return S_ISDIR(st.st_mode) ? replay_folder(path) : replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    int rc = argc < 2;

    for (int i = 1; i < argc; i++)
        rc |= replay_path(argv[i]);
    printf("%u inputs\n", n_inputs);
    return rc;
}
