; The loop over the rows of a kernel, around the functions that compute a block of them.
;
; $W rows make a block. A program has columns, which are inputs with a number for each row; outs, which
; are outputs with one; and totals, which are sums over the rows. What all rows share is computed by
; the `once` functions; blocks of rows by the parts, one after another. Numbers of a block that one
; part leaves to another wait in a scratch. How many there are of each, a record says: see
; `kernel.KernelRecord`.

declare ptr @malloc(i64)
declare void @free(ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare i64 @llvm.umin.i64(i64, i64)
declare double @llvm.vector.reduce.fadd.v${W}f64(double, <$W x double>)

; Make ready to read a block of rows: where a column's rows are not next to each other, or are too
; few, they are copied into a buffer. Lanes without a row get the last one again, so that nothing
; new happens in them. The pointers in %ins are such that row %row is at its usual distance.
; Returns whether nothing had to be copied.
define internal i1 @place(i64 %count, ptr %columns, ptr %strides, ptr %buffers, ptr %ins, i64 %row, i64 %rows) {
entry:
  br label %column
column:
  %k = phi i64 [ 0, %entry ], [ %k.next, %next ]
  %whole = phi i1 [ true, %entry ], [ %whole.next, %next ]
  %k.more = icmp ult i64 %k, %count
  br i1 %k.more, label %look, label %done
look:
  %column.at = getelementptr ptr, ptr %columns, i64 %k
  %base = load ptr, ptr %column.at
  %stride.at = getelementptr i64, ptr %strides, i64 %k
  %stride = load i64, ptr %stride.at
  %in.at = getelementptr ptr, ptr %ins, i64 %k
  %is.dense = icmp eq i64 %stride, 8
  %is.full = icmp eq i64 %rows, $W
  %is.ready = and i1 %is.dense, %is.full
  br i1 %is.ready, label %next, label %copy
copy:
  %buffer = getelementptr <$W x double>, ptr %buffers, i64 %k
  %last = sub i64 %rows, 1
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

; Compute blocks of rows. Several parts take turns at each block; a single one has the loop in itself.
define internal void @blocks(i64 %count, ptr %parts, ptr %ins, ptr %outs, ptr %shared, ptr %scratch, ptr %totals, i64 %begin, i64 %end) {
entry:
  %is.single = icmp eq i64 %count, 1
  br label %block
block:
  %row = phi i64 [ %begin, %entry ], [ %next, %done ]
  %after = add i64 %row, $W
  %next = select i1 %is.single, i64 %end, i64 %after
  br label %part
part:
  %k = phi i64 [ 0, %block ], [ %k.next, %part ]
  %part.at = getelementptr ptr, ptr %parts, i64 %k
  %function = load ptr, ptr %part.at
  call void %function(ptr %ins, ptr %outs, ptr %shared, ptr %scratch, ptr %totals, i64 %row, i64 %next)
  %k.next = add i64 %k, 1
  %k.more = icmp ult i64 %k.next, %count
  br i1 %k.more, label %part, label %done
done:
  %more = icmp ult i64 %next, %end
  br i1 %more, label %block, label %end.of.rows
end.of.rows:
  ret void
}

; Run a program over rows. %lanes, if there are any, hold the sums of earlier rows, lane by lane, and
; are left for later ones: so the order of additions is the same when rows come in several calls, all
; but the last of them of whole blocks.
define void @kernel(ptr %record, i64 %rows, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %sums, ptr %lanes) {
entry:
$LOADS
  %at.scratch = add i64 %column.count, %out.count
  %at.totals = add i64 %at.scratch, %scratch.count
  %at.last.totals = add i64 %at.totals, %total.count
  %at.ins = add i64 %at.last.totals, %total.count
  %bytes.vectors = mul i64 %at.ins, ${BYTES}
  %bytes.pointers = mul i64 %at.scratch, 8
  %bytes.both = add i64 %bytes.vectors, %bytes.pointers
  %bytes = add i64 %bytes.both, 64
  %block = call ptr @malloc(i64 %bytes)
  %address = ptrtoint ptr %block to i64
  %above = add i64 %address, 63
  %aligned = and i64 %above, -64
  %memory = inttoptr i64 %aligned to ptr
  %out.buffers = getelementptr <$W x double>, ptr %memory, i64 %column.count
  %scratch = getelementptr <$W x double>, ptr %memory, i64 %at.scratch
  %totals = getelementptr <$W x double>, ptr %memory, i64 %at.totals
  %last.totals = getelementptr <$W x double>, ptr %memory, i64 %at.last.totals
  %ins = getelementptr <$W x double>, ptr %memory, i64 %at.ins
  %last.outs = getelementptr ptr, ptr %ins, i64 %column.count
  %bytes.totals = mul i64 %total.count, ${BYTES}
  %goes.on = icmp ne ptr %lanes, null
  br i1 %goes.on, label %go.on, label %begin.at.zero
go.on:
  call void @llvm.memcpy.p0.p0.i64(ptr align 64 %totals, ptr %lanes, i64 %bytes.totals, i1 false)
  br label %once.test
begin.at.zero:
  call void @llvm.memset.p0.i64(ptr align 64 %totals, i8 0, i64 %bytes.totals, i1 false)
  br label %once.test

once.test:
  %i = phi i64 [ 0, %go.on ], [ 0, %begin.at.zero ], [ %i.next, %once.one ]
  %i.more = icmp ult i64 %i, %once.count
  br i1 %i.more, label %once.one, label %split
once.one:
  %once.at = getelementptr ptr, ptr %once, i64 %i
  %once.function = load ptr, ptr %once.at
  call void %once.function(ptr %shared)
  %i.next = add i64 %i, 1
  br label %once.test

split:
  %full.end = and i64 %rows, -$W
  %left = sub i64 %rows, %full.end
  %any.full = icmp ne i64 %full.end, 0
  br i1 %any.full, label %begin, label %tail

begin:
  %dense = call i1 @place(i64 %column.count, ptr %columns, ptr %strides, ptr %memory, ptr %ins, i64 0, i64 $W)
  br i1 %dense, label %all, label %some
all:
  call void @blocks(i64 %part.count, ptr %parts, ptr %ins, ptr %outs, ptr %shared, ptr %scratch, ptr %totals, i64 0, i64 %full.end)
  br label %tail
some:
  %row = phi i64 [ 0, %begin ], [ %next, %some ]
  %next = add i64 %row, $W
  call i1 @place(i64 %column.count, ptr %columns, ptr %strides, ptr %memory, ptr %ins, i64 %row, i64 $W)
  call void @blocks(i64 %part.count, ptr %parts, ptr %ins, ptr %outs, ptr %shared, ptr %scratch, ptr %totals, i64 %row, i64 %next)
  %more = icmp ult i64 %next, %full.end
  br i1 %more, label %some, label %tail

tail:
  %any.left = icmp ne i64 %left, 0
  br i1 %any.left, label %last.block, label %finish
last.block:
  call void @llvm.memset.p0.i64(ptr align 64 %last.totals, i8 0, i64 %bytes.totals, i1 false)
  call i1 @place(i64 %column.count, ptr %columns, ptr %strides, ptr %memory, ptr %ins, i64 %full.end, i64 %left)
  %before = mul i64 %full.end, -8
  br label %divert
divert:
  %d = phi i64 [ 0, %last.block ], [ %d.next, %divert.one ]
  %d.more = icmp ult i64 %d, %out.count
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
  call void @blocks(i64 %part.count, ptr %parts, ptr %ins, ptr %last.outs, ptr %shared, ptr %scratch, ptr %last.totals, i64 %full.end, i64 %beyond)
  br label %deliver
deliver:
  %c = phi i64 [ 0, %diverted ], [ %c.next, %deliver.one ]
  %c.more = icmp ult i64 %c, %out.count
  br i1 %c.more, label %deliver.one, label %finish
deliver.one:
  %c.from = getelementptr <$W x double>, ptr %out.buffers, i64 %c
  %c.out.at = getelementptr ptr, ptr %outs, i64 %c
  %c.out = load ptr, ptr %c.out.at
  %c.to = getelementptr double, ptr %c.out, i64 %full.end
  %c.bytes = mul i64 %left, 8
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %c.to, ptr align 64 %c.from, i64 %c.bytes, i1 false)
  %c.next = add i64 %c, 1
  br label %deliver

; The rows of the last block are added to their lanes, and then the lanes, pair by pair.
finish:
  %left.one = insertelement <$W x i64> poison, i64 %left, i64 0
  %left.all = shufflevector <$W x i64> %left.one, <$W x i64> poison, <$W x i32> zeroinitializer
  %is.row = icmp ult <$W x i64> <$LANES>, %left.all
  br label %finish.test
finish.test:
  %t = phi i64 [ 0, %finish ], [ %t.next, %finish.one ]
  %t.more = icmp ult i64 %t, %total.count
  br i1 %t.more, label %finish.one, label %keep
finish.one:
  %t.lanes.at = getelementptr <$W x double>, ptr %totals, i64 %t
  %t.lanes = load <$W x double>, ptr %t.lanes.at
  %t.last.at = getelementptr <$W x double>, ptr %last.totals, i64 %t
  %t.last = load <$W x double>, ptr %t.last.at
  %t.rows = select <$W x i1> %is.row, <$W x double> %t.last, <$W x double> zeroinitializer
  %t.both = fadd <$W x double> %t.lanes, %t.rows
  %t.sum = call reassoc double @llvm.vector.reduce.fadd.v${W}f64(double -0.0, <$W x double> %t.both)
  %t.sum.at = getelementptr double, ptr %sums, i64 %t
  store double %t.sum, ptr %t.sum.at
  %t.next = add i64 %t, 1
  br label %finish.test

keep:
  br i1 %goes.on, label %keep.lanes, label %end
keep.lanes:
  call void @llvm.memcpy.p0.p0.i64(ptr %lanes, ptr align 64 %totals, i64 %bytes.totals, i1 false)
  br label %end
end:
  call void @free(ptr %block)
  ret void
}
