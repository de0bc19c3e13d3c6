/* The load process itself: starts connections as the plan says, waits for descriptors, watches deadlines. */
#ifndef BENCH_LOAD_LOOP_H
#define BENCH_LOAD_LOOP_H

#include "bench/load.h"

/* Runs the plan to its end; everything it learns goes into `shared`. */
enum rc load_loop_run(const struct load_plan *plan, struct load_shared *shared) MUST_USE;

#endif
