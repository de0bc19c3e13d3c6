/* The subcommands of perron-bench: rows of the table in main.c. Each reads its own options, prints its
 * figures on standard output and returns the exit status. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

int bench_conn(int argc, char **argv);
int bench_keepalive(int argc, char **argv);
int bench_h2(int argc, char **argv);
int bench_latency(int argc, char **argv);
int bench_bulk(int argc, char **argv);
int bench_idle(int argc, char **argv);
int bench_all(int argc, char **argv);
int bench_soak(int argc, char **argv);
int bench_reload(int argc, char **argv);

#endif
