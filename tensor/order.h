/* order.h -- sorting along a dim: kernels that are the same for every machine. */
#ifndef TD_ORDER_H
#define TD_ORDER_H
#include "op.h"

td_status td_order_sort(const td_call *c, td_tensor **out);
td_status td_order_topk(const td_call *c, td_tensor **out);

#endif
