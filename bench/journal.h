/* `perron-bench journal`: a row of the table in main.c. */
#ifndef BENCH_JOURNAL_H
#define BENCH_JOURNAL_H

int bench_journal(int argc, char **argv);

#endif
