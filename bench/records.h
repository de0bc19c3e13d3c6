/* Decision records as a gateway of an administration makes them: a policy of many rules, users in groups,
 * hosts in categories and in none. Made once, then handed out again and again with codes of their own, so
 * that what is measured is what happens to them. */
#ifndef BENCH_RECORDS_H
#define BENCH_RECORDS_H

#include "policy/record.h"

enum { BENCH_RECORDS = 1024 };

struct bench_records {
    struct snapshot *snap;
    char policy[64]; /* path of the policy file; gone after bench_records_fini */
    struct {
        size_t n;
        uint8_t *bytes; /* RECORD_MAX */
    } one[BENCH_RECORDS];
};

/* `changed`: the policy after a change that a sixth of the requests notice. */
enum rc bench_records_init(struct bench_records *b, unsigned long rules, bool changed) MUST_USE;
void bench_records_fini(struct bench_records *b);
/* The i-th record, valid until the next call. */
span bench_record(struct bench_records *b, uint64_t i, uint32_t node, uint64_t number);

#endif
