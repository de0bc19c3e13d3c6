/* What `on broken exempt for` has left encrypted, kept over a restart: file `broken` of the state directory.
 * Without it every restart would break the programs again until three devices had failed once more. Policy in
 * force still says whether an exemption counts. */
#ifndef GW_PROC_BROKEN_FILE_H
#define GW_PROC_BROKEN_FILE_H

#include "gw/ipc/broken.h"

/* Puts what has not ended into `b`. OK without a file. One that is not byte for byte what was written is put
 * aside under another name with a line in `err` (CONFIG), and nothing of it counts. */
enum rc broken_file_read(int state_dir, struct broken *b, int64_t now_s, struct buf *err) MUST_USE;
/* Writes what is exempt now, whole or not at all. IO with errno. */
enum rc broken_file_write(int state_dir, const struct broken *b, int64_t now_s) MUST_USE;

#endif
