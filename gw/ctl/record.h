/* Decision records for people and programs: as JSON, as text, and where the journal is. Used by the commands
 * that read it. */
#ifndef GW_CTL_RECORD_H
#define GW_CTL_RECORD_H

#include "gw/ctl/ctl.h"
#include "gw/siem/journal.h"
#include "policy/record.h"

/* "A7K-2Q9F-XMH" of a record; out: CODE_TEXT bytes. */
void record_code(const struct record *r, char out[16]);
/* Ten characters of codes as on a page, with their hyphens or without, small or capital; one may be mistyped.
 */
bool record_code_like(const char *word);
/* Its node and number; or one line on standard error, behind `command`, that says what is wrong with it. */
bool record_code_read(const char *command, const char *word, unsigned *node, uint64_t *number);
/* Everything in it, and where it stands (f may be NULL). Never NULL but without memory. */
json_t *record_json(const struct record *r, const struct journal_frame *f);
/* The same, a line a step of the decision. */
void record_print(const struct record *r, const struct journal_frame *f);
/* One line: time, code, step, what was decided, about what, by which rule. */
void record_line(const struct record *r);
const char *record_action(enum action a);
const char *record_step(enum step s);
/* "path, user" of fact bits, NUL-terminated in out. */
const char *record_facts(uint64_t facts, char out[200]);
/* "2026-11-24 10:00:00.123 UTC" */
const char *record_time(int64_t wall_us, char out[40]);

/* The directory of --journal DIR, or "journal" in the state directory; -1 after one line on standard error.
 */
int journal_open_dir(const struct ctl *ctl, const char *dir);
/* Where the walk found the journal broken: one line on standard error and 1; else 0. */
int journal_broken(const struct journal_walk *w);
/* The same for programs, or null. */
json_t *journal_broken_json(const struct journal_walk *w);

#endif
