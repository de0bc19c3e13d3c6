/* Everything that can be turned on the command line of a measurement, in one struct. A subcommand fills in
 * its defaults, knobs_parse() reads the options over them. Options are rows of knobs.tbl. */
#ifndef BENCH_KNOBS_H
#define BENCH_KNOBS_H

#include "gw/base/buf.h"

struct knobs {
#define NUMBER(field, option, min, max, sentence) uint64_t field;
#define FLAG(field, option, sentence)             bool field;
#define TEXT(field, option, sentence)             const char *field;
#include "bench/knobs.tbl"
#undef NUMBER
#undef FLAG
#undef TEXT
};

/* What a measurement starts from: five runs, one name, one worker, a policy of full size. */
struct knobs knobs_usual(uint64_t count, uint64_t parallel);

/* Reads argv[1..]; argv[0] is the subcommand. CONFIG after one clear line on standard error. With --help the
 * options are listed on standard output and CLOSED is returned. */
enum rc knobs_parse(struct knobs *k, int argc, char **argv) MUST_USE;

#endif
