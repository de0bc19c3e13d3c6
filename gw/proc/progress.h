/* Long work shows how far it is, on a terminal; in a pipe and in a log it stays quiet. */
#ifndef GW_PROC_PROGRESS_H
#define GW_PROC_PROGRESS_H

/* For compile_opts.progress: NULL where standard error is no terminal. Asked before a sandbox closes. */
typedef void (*progress_fn)(const char *what, unsigned long done, unsigned long total);
progress_fn progress_shown(void);
/* Takes the line away, if there is one. */
void progress_over(void);

#endif
