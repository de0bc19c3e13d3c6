/* What becomes of a field on its way through a proxy: rows of field.tbl and a few families of names. */
#ifndef GW_HTTP_FIELD_H
#define GW_HTTP_FIELD_H

#include "gw/base/buf.h"

/* Never copied from one side to the other. Called for every field of every message. */
bool field_is_hop(span name);
/* Connection cannot name it away. */
bool field_is_end_to_end(span name);
/* May stand in a trailer section that we pass on. */
bool field_may_trail(span name);

#endif
