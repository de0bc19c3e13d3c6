/* Command line of the measurements: `--option value` or `--option=value`, flags without a value. No short
 * forms. The table knobs.tbl is read twice: for the list of options, and for the struct (knobs.h). */
#include "bench/knobs.h"

#include <inttypes.h>
#include <stdio.h>

#include "bench/say.h"
#include "gw/base/obj.h"

enum kind { KIND_NUMBER, KIND_FLAG, KIND_TEXT };

struct row {
    enum kind kind;
    const char *option;
    size_t offset;
    uint64_t min, max;
    const char *sentence;
};

static const struct row ROWS[] = {
#define NUMBER(field, option, min, max, sentence) \
    {KIND_NUMBER, option, offsetof(struct knobs, field), min, max, sentence},
#define FLAG(field, option, sentence) {KIND_FLAG, option, offsetof(struct knobs, field), 0, 0, sentence},
#define TEXT(field, option, sentence) {KIND_TEXT, option, offsetof(struct knobs, field), 0, 0, sentence},
#include "bench/knobs.tbl"
#undef NUMBER
#undef FLAG
#undef TEXT
};

static void list_options(const struct knobs *k)
{
    for (size_t i = 0; i < N_ELEMS(ROWS); i++) {
        const struct row *r = &ROWS[i];
        printf("  --%-13s %s", r->option, r->sentence);
        if (r->kind == KIND_NUMBER)
            printf(" [%" PRIu64 "]", *(const uint64_t *)((const char *)k + r->offset));
        putchar('\n');
    }
}

static const struct row *find_row(span name)
{
    for (size_t i = 0; i < N_ELEMS(ROWS); i++) {
        if (span_eq(name, span_str(ROWS[i].option)))
            return &ROWS[i];
    }
    return NULL;
}

static enum rc set_value(struct knobs *k, const struct row *r, const char *value)
{
    void *field = (char *)k + r->offset;
    uint64_t number;
    if (!value) {
        say_error("--%s needs a value: %s", r->option, r->sentence);
        return RC_CONFIG;
    }
    if (r->kind == KIND_TEXT) {
        *(const char **)field = value;
        return RC_OK;
    }
    if (!span_to_u64(span_str(value), r->max, &number) || number < r->min) {
        say_error("--%s %s: a number from %" PRIu64 " to %" PRIu64 " is needed (%s)", r->option, value,
                  r->min, r->max, r->sentence);
        return RC_CONFIG;
    }
    *(uint64_t *)field = number;
    return RC_OK;
}

/* One option at argv[*at]; moves *at to its last word. */
static enum rc read_option(struct knobs *k, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    span text = span_str(word);
    if (!span_has_prefix(text, SPAN("--"))) {
        say_error("%s: what is \"%s\"? Options begin with --; `perron-bench %s --help` lists them", argv[0],
                  word, argv[0]);
        return RC_CONFIG;
    }
    size_t equals = span_find(text, '=', 0);
    const struct row *r = find_row(span_cut(text, 2, equals));
    if (!r || (r->kind == KIND_FLAG && equals != SIZE_MAX)) {
        say_error("%s: there is no option %s; `perron-bench %s --help` lists them", argv[0], word, argv[0]);
        return RC_CONFIG;
    }
    if (r->kind == KIND_FLAG) {
        *(bool *)((char *)k + r->offset) = true;
        return RC_OK;
    }
    if (equals != SIZE_MAX)
        return set_value(k, r, word + equals + 1);
    return set_value(k, r, *at + 1 < argc ? argv[++*at] : NULL);
}

struct knobs knobs_usual(uint64_t count, uint64_t parallel)
{
    return (struct knobs){.runs = 5,
                          .count = count,
                          .parallel = parallel,
                          .names = 1,
                          .size_mib = 1,
                          .rate = 1,
                          .minutes = 1,
                          .listed = 1000000,
                          .workers = 1};
}

enum rc knobs_parse(struct knobs *k, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (span_eq(span_str(argv[i]), SPAN("--help"))) {
            list_options(k);
            return RC_CLOSED;
        }
        TRY(read_option(k, argc, argv, &i));
    }
    if (k->only && !span_eq(span_str(k->only), SPAN("perron")) &&
        !span_eq(span_str(k->only), SPAN("haproxy")) && !span_eq(span_str(k->only), SPAN("direct"))) {
        say_error("--only %s: there are perron, haproxy and direct", k->only);
        return RC_CONFIG;
    }
    return RC_OK;
}
