/* From the rings to the log file and the journal, each accepted line and record once: gathers a batch from
 * all rings in fair shares, writes and syncs both, and only then moves the rings' tails. After a kill -9 at
 * any moment the last batch may stand in either with the tails not yet moved: on start their ends are read
 * back and synced, and frames already there are skipped by (boot, worker, seq). What a captured worker puts
 * into its ring becomes one line of its own identity or a report, or a record under its own name.
 *
 * An exchange's record is written before its line, so whoever reads a line finds its record, whatever is
 * killed. Only where journal and log are on two file systems is it also on the disk before: on one, both take
 * one commit of it, and after a power cut a line of the last 50 ms may stand there whose record does not.
 * While the disk fails, too, a line may stand whose record is still to be written again. */
#ifndef GW_SIEM_DRAIN_H
#define GW_SIEM_DRAIN_H

#include "gw/siem/journal.h"
#include "gw/siem/spool.h"

struct ring;
struct drain;

struct drain_counts {
    uint64_t lines, bytes;    /* written and synced */
    uint64_t records;         /* likewise, in the journal */
    uint64_t skipped;         /* found in the file already after a restart */
    uint64_t malformed, gaps; /* frames replaced by a report; numbers that never came */
    uint64_t broken;          /* rings reset */
};

enum rc drain_new(uint64_t boot, span node, struct drain **out) MUST_USE;
void drain_free(struct drain *d);
/* The file to write to, for tests' own settings too. Changing its target belongs to drain_target. */
struct spool *drain_spool(struct drain *d);
/* Takes dir. The same directory and name once more: rotate now, or begin anew where somebody moved the file
 * away; where a whole batch stands in the file and waits for the journal, as soon as that is done. */
enum rc drain_target(struct drain *d, int dir, span name) MUST_USE;
/* Takes dir, where the journal's segments are. Until then records stay in the rings, and all behind them. */
void drain_journal(struct drain *d, int dir);
struct journal *drain_journal_of(struct drain *d);
/* errno of the last failure of either file; 0: the last attempts went well. */
int drain_errno(struct drain *d);
/* Which file that is, for a sentence. */
const char *drain_failing(struct drain *d);
/* Maps the ring behind fd (borrowed), which the master says is of this worker. A ring it has already is
 * ignored. */
enum rc drain_add(struct drain *d, int fd, uint64_t boot, uint32_t worker) MUST_USE;
/* One batch. OK: written; MORE: nothing there; IO (or NOTFOUND, no file yet): all is kept, try later. */
enum rc drain_turn(struct drain *d) MUST_USE;
/* The last batch written was as long as one may be: come again at once. Else come again in drain_gather_ms(),
 * for each batch costs two syncs, however short it is. */
bool drain_full(const struct drain *d);
/* How long to wait until the next turn where one takes up to `turn_ms`: a line that comes just after a turn
 * has looked waits for the rest of it, this long, and for its own turn, together LIM_LOG_SYNC_MS at most; yet
 * never less than LIM_LOG_GATHER_MS. */
int64_t drain_gather_ms(int64_t turn_ms);
/* Sets or clears "the logger sleeps" in all rings; look once more (drain_turn) after setting. */
void drain_sleeping(struct drain *d, bool sleeping);
/* Between batches: has somebody moved the file away? */
void drain_check_file(struct drain *d);
const struct drain_counts *drain_counts(const struct drain *d);

#endif
