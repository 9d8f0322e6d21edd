; The loop over the rows of a kernel, around the functions that compute a block of them.
;
; $W rows make a block. $COLUMNS inputs and $OUTS outputs have a number for each row, $TOTALS outputs
; are sums over the rows, and $SCRATCH numbers of a block wait in a scratch.

declare ptr @malloc(i64)
declare void @free(ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @llvm.umin.i64(i64, i64)

; Make ready to read a block of rows: where a column's rows are not next to each other, or are too
; few, they are copied into a buffer. Lanes without a row get the last one again, so that nothing
; new happens in them. The pointers in %ins are such that row %row is at its usual distance.
; Returns whether nothing had to be copied.
define internal i1 @place(ptr %columns, ptr %strides, ptr %buffers, ptr %ins, i64 %row, i64 %count) noinline {
entry:
  br label %column
column:
  %k = phi i64 [ 0, %entry ], [ %k.next, %next ]
  %whole = phi i1 [ true, %entry ], [ %whole.next, %next ]
  %k.more = icmp ult i64 %k, $COLUMNS
  br i1 %k.more, label %look, label %done
look:
  %column.at = getelementptr ptr, ptr %columns, i64 %k
  %base = load ptr, ptr %column.at
  %stride.at = getelementptr i64, ptr %strides, i64 %k
  %stride = load i64, ptr %stride.at
  %in.at = getelementptr ptr, ptr %ins, i64 %k
  %is.dense = icmp eq i64 %stride, 8
  %is.full = icmp eq i64 %count, $W
  %is.ready = and i1 %is.dense, %is.full
  br i1 %is.ready, label %next, label %copy
copy:
  %buffer = getelementptr <$W x double>, ptr %buffers, i64 %k
  %last = sub i64 %count, 1
  br label %lane
lane:
  %l = phi i64 [ 0, %copy ], [ %l.next, %lane ]
  %l.row = call i64 @llvm.umin.i64(i64 %l, i64 %last)
  %from.row = add i64 %row, %l.row
  %from.byte = mul i64 %from.row, %stride
  %from = getelementptr i8, ptr %base, i64 %from.byte
  %x = load double, ptr %from, align 1
  %to = getelementptr double, ptr %buffer, i64 %l
  store double %x, ptr %to
  %l.next = add i64 %l, 1
  %l.more = icmp ult i64 %l.next, $W
  br i1 %l.more, label %lane, label %copied
copied:
  %before = mul i64 %row, -8
  %virtual = getelementptr i8, ptr %buffer, i64 %before
  br label %next
next:
  %in = phi ptr [ %base, %look ], [ %virtual, %copied ]
  %whole.next = phi i1 [ %whole, %look ], [ false, %copied ]
  store ptr %in, ptr %in.at
  %k.next = add i64 %k, 1
  br label %column
done:
  ret i1 %whole
}

; Compute blocks of rows. A single function has the loop in itself; several take turns at each block.
define internal void @blocks(ptr %ins, ptr %outs, ptr %shared, ptr %scratch, ptr %totals, i64 %begin, i64 %end) {
entry:
  br label %block
block:
  %row = phi i64 [ %begin, %entry ], [ %next, %block ]
  %next = $NEXT
$ROWS
  %more = icmp ult i64 %next, %end
  br i1 %more, label %block, label %done
done:
  ret void
}

define void @kernel(i64 %rows, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %sums) {
entry:
$ALLOCATE
  %buffers = getelementptr <$W x double>, ptr %memory, i64 0
  %out.buffers = getelementptr <$W x double>, ptr %memory, i64 $COLUMNS
  %scratch = getelementptr <$W x double>, ptr %memory, i64 $AT_SCRATCH
  %totals = getelementptr <$W x double>, ptr %memory, i64 $AT_TOTALS
  %last.totals = getelementptr <$W x double>, ptr %memory, i64 $AT_LAST_TOTALS
  %ins = alloca [$COLUMNS x ptr]
  %last.outs = alloca [$OUTS x ptr]
  call void @llvm.memset.p0.i64(ptr align 64 %totals, i8 0, i64 $TOTALS_BYTES, i1 false)
$ONCE
  %full.end = and i64 %rows, -$W
  %left = sub i64 %rows, %full.end
  %any.full = icmp ne i64 %full.end, 0
  br i1 %any.full, label %begin, label %tail

begin:
  %dense = call i1 @place(ptr %columns, ptr %strides, ptr %buffers, ptr %ins, i64 0, i64 $W)
  br i1 %dense, label %all, label %some
all:
  call void @blocks(ptr %ins, ptr %outs, ptr %shared, ptr %scratch, ptr %totals, i64 0, i64 %full.end)
  br label %tail
some:
  %row = phi i64 [ 0, %begin ], [ %next, %some ]
  %next = add i64 %row, $W
  call i1 @place(ptr %columns, ptr %strides, ptr %buffers, ptr %ins, i64 %row, i64 $W)
  call void @blocks(ptr %ins, ptr %outs, ptr %shared, ptr %scratch, ptr %totals, i64 %row, i64 %next)
  %more = icmp ult i64 %next, %full.end
  br i1 %more, label %some, label %tail

tail:
  %any.left = icmp ne i64 %left, 0
  br i1 %any.left, label %last.block, label %finish
last.block:
  call i1 @place(ptr %columns, ptr %strides, ptr %buffers, ptr %ins, i64 %full.end, i64 %left)
  %before = mul i64 %full.end, -8
  br label %divert
divert:
  %d = phi i64 [ 0, %last.block ], [ %d.next, %divert.one ]
  %d.more = icmp ult i64 %d, $OUTS
  br i1 %d.more, label %divert.one, label %diverted
divert.one:
  %d.buffer = getelementptr <$W x double>, ptr %out.buffers, i64 %d
  %d.virtual = getelementptr i8, ptr %d.buffer, i64 %before
  %d.at = getelementptr ptr, ptr %last.outs, i64 %d
  store ptr %d.virtual, ptr %d.at
  %d.next = add i64 %d, 1
  br label %divert
diverted:
  %beyond = add i64 %full.end, $W
  call void @blocks(ptr %ins, ptr %last.outs, ptr %shared, ptr %scratch, ptr %last.totals, i64 %full.end, i64 %beyond)
  br label %deliver
deliver:
  %c = phi i64 [ 0, %diverted ], [ %c.next, %deliver.lanes.done ]
  %c.more = icmp ult i64 %c, $OUTS
  br i1 %c.more, label %deliver.one, label %finish
deliver.one:
  %c.from = getelementptr <$W x double>, ptr %out.buffers, i64 %c
  %c.out.at = getelementptr ptr, ptr %outs, i64 %c
  %c.out = load ptr, ptr %c.out.at
  %c.to = getelementptr double, ptr %c.out, i64 %full.end
  br label %deliver.lane
deliver.lane:
  %e = phi i64 [ 0, %deliver.one ], [ %e.next, %deliver.lane ]
  %e.from = getelementptr double, ptr %c.from, i64 %e
  %e.x = load double, ptr %e.from
  %e.to = getelementptr double, ptr %c.to, i64 %e
  store double %e.x, ptr %e.to
  %e.next = add i64 %e, 1
  %e.more = icmp ult i64 %e.next, %left
  br i1 %e.more, label %deliver.lane, label %deliver.lanes.done
deliver.lanes.done:
  %c.next = add i64 %c, 1
  br label %deliver

; Each sum is that of the lanes, pair by pair, and then of the last block's rows, one by one.
finish:
  %t = phi i64 [ 0, %tail ], [ 0, %deliver ], [ %t.next, %finish.done ]
  %t.more = icmp ult i64 %t, $TOTALS
  br i1 %t.more, label %finish.one, label %end
finish.one:
  %t.lanes.at = getelementptr <$W x double>, ptr %totals, i64 %t
  %t.lanes = load <$W x double>, ptr %t.lanes.at
  %t.full = call reassoc double @llvm.vector.reduce.fadd.v${W}f64(double -0.0, <$W x double> %t.lanes)
  %t.last = getelementptr <$W x double>, ptr %last.totals, i64 %t
  br label %finish.lane
finish.lane:
  %g = phi i64 [ 0, %finish.one ], [ %g.next, %finish.add ]
  %g.sum = phi double [ %t.full, %finish.one ], [ %g.sum.next, %finish.add ]
  %g.more = icmp ult i64 %g, %left
  br i1 %g.more, label %finish.add, label %finish.done
finish.add:
  %g.at = getelementptr double, ptr %t.last, i64 %g
  %g.x = load double, ptr %g.at
  %g.sum.next = fadd double %g.sum, %g.x
  %g.next = add i64 %g, 1
  br label %finish.lane
finish.done:
  %t.sum.at = getelementptr double, ptr %sums, i64 %t
  store double %g.sum, ptr %t.sum.at
  %t.next = add i64 %t, 1
  br label %finish
end:
$FREE
  ret void
}
declare double @llvm.vector.reduce.fadd.v${W}f64(double, <$W x double>)

; A single row: its inputs are next to each other in memory, and after them its outputs.
define void @single(ptr %numbers) {
entry:
  %columns = alloca [$COLUMNS x ptr]
  %strides = alloca [$COLUMNS x i64]
  %outs = alloca [$OUTS x ptr]
  %shared = alloca [$ROOM x double]
  br label %in
in:
  %k = phi i64 [ 0, %entry ], [ %k.next, %in.one ]
  %k.more = icmp ult i64 %k, $COLUMNS
  br i1 %k.more, label %in.one, label %out.begin
in.one:
  %k.from = getelementptr double, ptr %numbers, i64 %k
  %k.to = getelementptr ptr, ptr %columns, i64 %k
  store ptr %k.from, ptr %k.to
  %k.stride = getelementptr i64, ptr %strides, i64 %k
  store i64 0, ptr %k.stride
  %k.next = add i64 %k, 1
  br label %in
out.begin:
  %first.out = getelementptr double, ptr %numbers, i64 $COLUMNS
  br label %out
out:
  %o = phi i64 [ 0, %out.begin ], [ %o.next, %out.one ]
  %o.more = icmp ult i64 %o, $OUTS
  br i1 %o.more, label %out.one, label %run
out.one:
  %o.from = getelementptr double, ptr %first.out, i64 %o
  %o.to = getelementptr ptr, ptr %outs, i64 %o
  store ptr %o.from, ptr %o.to
  %o.next = add i64 %o, 1
  br label %out
run:
  call void @kernel(i64 1, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %numbers)
  ret void
}
