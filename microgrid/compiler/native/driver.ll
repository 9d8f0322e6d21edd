; The loop over the rows of a kernel, around the functions that compute a block of them.
;
; $W rows make a block. A program has columns, which are inputs with a number for each row; outs, which
; are outputs with one; and sums over the rows. What all rows share is computed by
; the `once` functions; the rows by the parts, one after another. A part is called for a group of blocks
; before the next one is, so that its code is fetched once for all of them: that of a large program
; takes longer to fetch than to run. Numbers of a block that one part leaves to another wait
; in a scratch. A part adds its rows to sums itself, or to totals, which are vectors of sums, lane by
; lane, until all rows are done. How many there are of each, a record says: see `kernel.KernelRecord`.

declare ptr @malloc(i64)
declare void @free(ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare i64 @llvm.umin.i64(i64, i64)
declare double @llvm.vector.reduce.fadd.v${W}f64(double, <$W x double>)

; Make ready to read rows: where a column's rows are not next to each other, or fill no block, or where
; all are to be packed, they are copied into a buffer, where each column has %size vectors. Lanes without
; a row get the last one again, so that nothing new happens in them. The pointers in %ins are such that
; row %row is at its usual distance.
define internal void @place(i64 %count, ptr %columns, ptr %strides, ptr %buffers, i64 %size, ptr %ins, i64 %row, i64 %rows, i1 %packs) {
entry:
  %above = add i64 %rows, ${LAST_LANE}
  %lanes = and i64 %above, -$W
  %is.full = icmp eq i64 %rows, %lanes
  %last = sub i64 %rows, 1
  %before = mul i64 %row, -8
  br label %column
column:
  %k = phi i64 [ 0, %entry ], [ %k.next, %next ]
  %k.more = icmp ult i64 %k, %count
  br i1 %k.more, label %look, label %done
look:
  %column.at = getelementptr ptr, ptr %columns, i64 %k
  %base = load ptr, ptr %column.at
  %stride.at = getelementptr i64, ptr %strides, i64 %k
  %stride = load i64, ptr %stride.at
  %in.at = getelementptr ptr, ptr %ins, i64 %k
  %is.dense = icmp eq i64 %stride, 8
  %is.whole = and i1 %is.dense, %is.full
  %is.ready = select i1 %packs, i1 false, i1 %is.whole
  br i1 %is.ready, label %next, label %copy
copy:
  %vectors.before = mul i64 %k, %size
  %buffer = getelementptr <$W x double>, ptr %buffers, i64 %vectors.before
  %first.byte = mul i64 %row, %stride
  %first = getelementptr i8, ptr %base, i64 %first.byte
  br i1 %is.whole, label %pack, label %block
pack:
  %bytes = mul i64 %rows, 8
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %buffer, ptr align 8 %first, i64 %bytes, i1 false)
  br label %copied
block:
  %l = phi i64 [ 0, %copy ], [ %l.next, %block ]
  %to = getelementptr double, ptr %buffer, i64 %l
; $W times:
  %l# = add i64 %l, #
  %row# = call i64 @llvm.umin.i64(i64 %l#, i64 %last)
  %byte# = mul i64 %row#, %stride
  %from# = getelementptr i8, ptr %first, i64 %byte#
  %x# = load double, ptr %from#, align 1
  %to# = getelementptr double, ptr %to, i64 #
  store double %x#, ptr %to#
; end.
  %l.next = add i64 %l, $W
  %l.more = icmp ult i64 %l.next, %lanes
  br i1 %l.more, label %block, label %copied
copied:
  %virtual = getelementptr i8, ptr %buffer, i64 %before
  br label %next
next:
  %in = phi ptr [ %base, %look ], [ %virtual, %copied ]
  store ptr %in, ptr %in.at
  %k.next = add i64 %k, 1
  br label %column
done:
  ret void
}

; Return whether the rows of all columns are next to each other.
define internal i1 @are.dense(i64 %count, ptr %strides) {
entry:
  br label %test
test:
  %k = phi i64 [ 0, %entry ], [ %k.next, %look ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %look, label %done
look:
  %stride.at = getelementptr i64, ptr %strides, i64 %k
  %stride = load i64, ptr %stride.at
  %is.dense = icmp eq i64 %stride, 8
  %k.next = add i64 %k, 1
  br i1 %is.dense, label %test, label %done
done:
  %answer = phi i1 [ true, %test ], [ false, %look ]
  ret i1 %answer
}

; Compute what all rows share.
define internal void @once(ptr %record, ptr %shared) {
entry:
$LOADS
  br label %test
test:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %more = icmp ult i64 %i, %once.count
  br i1 %more, label %one, label %done
one:
  %at = getelementptr ptr, ptr %once, i64 %i
  %function = load ptr, ptr %at
  call void %function(ptr %shared)
  %i.next = add i64 %i, 1
  br label %test
done:
  ret void
}

; Run a program over rows, once what they share is computed. %lanes, if there are any, hold the totals
; of earlier rows, and are left for later ones, and the sums go on from what they are: so the order of
; additions is the same when rows come in several calls, all but the last of them of whole groups.
define internal void @rows(ptr %record, i64 %rows, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %sums, ptr %lanes) {
entry:
$LOADS
  %full.end = and i64 %rows, -$W
  %left = sub i64 %rows, %full.end
  %any.left = icmp ne i64 %left, 0

  ; A single part, which leaves its place to no other, has all blocks as a group, if there is nothing
  ; to copy. But a part that adds to sums itself does so group by group, and these must be the same
  ; wherever the rows are.
  %dense = call i1 @are.dense(i64 %column.count, ptr %strides)
  %is.one = icmp eq i64 %part.count, 1
  %adds.lanes = icmp eq i64 %total.count, %sum.count
  %is.single = and i1 %is.one, %adds.lanes
  %packs = icmp ne i64 %pack, 0
  %is.ready = select i1 %packs, i1 false, i1 %dense
  %is.simple = and i1 %is.single, %is.ready
  %group.most = mul i64 %group.blocks, $W
  %most = select i1 %is.simple, i64 %full.end, i64 %group.most
  %group = call i64 @llvm.umin.i64(i64 %most, i64 %full.end)
  %blocks.in.group = udiv i64 %group, $W
  %blocks = select i1 %is.simple, i64 0, i64 %blocks.in.group ; that have memory of their own

  ; All memory: first vectors, then pointers. What is called last is for the block of the rows left.
  ; At distances that are powers of two, columns would share a few sets of a cache.
  %apart = or i64 %blocks, 1
  %size.buffers = mul i64 %column.count, %apart
  %size.scratch = mul i64 %scratch.count, %blocks
  %at.last.outs = add i64 %size.buffers, %column.count
  %at.scratch = add i64 %at.last.outs, %out.count
  %at.last.scratch = add i64 %at.scratch, %size.scratch
  %at.totals = add i64 %at.last.scratch, %scratch.count
  %at.last.totals = add i64 %at.totals, %total.count
  %at.pointers = add i64 %at.last.totals, %total.count
  %bytes.vectors = mul i64 %at.pointers, ${BYTES}
  %both.ins = mul i64 %column.count, 2
  %pointers = add i64 %both.ins, %out.count
  %bytes.pointers = mul i64 %pointers, 8
  %bytes.both = add i64 %bytes.vectors, %bytes.pointers
  %bytes = add i64 %bytes.both, 64
  %allocated = call ptr @malloc(i64 %bytes)
  %address = ptrtoint ptr %allocated to i64
  %above = add i64 %address, 63
  %aligned = and i64 %above, -64
  %buffers = inttoptr i64 %aligned to ptr
  %last.buffers = getelementptr <$W x double>, ptr %buffers, i64 %size.buffers
  %out.buffers = getelementptr <$W x double>, ptr %buffers, i64 %at.last.outs
  %scratch = getelementptr <$W x double>, ptr %buffers, i64 %at.scratch
  %last.scratch = getelementptr <$W x double>, ptr %buffers, i64 %at.last.scratch
  %totals = getelementptr <$W x double>, ptr %buffers, i64 %at.totals
  %last.totals = getelementptr <$W x double>, ptr %buffers, i64 %at.last.totals
  %ins = getelementptr <$W x double>, ptr %buffers, i64 %at.pointers
  %last.ins = getelementptr ptr, ptr %ins, i64 %column.count
  %last.outs = getelementptr ptr, ptr %last.ins, i64 %column.count

  %bytes.totals = mul i64 %total.count, ${BYTES}
  %goes.on = icmp ne ptr %lanes, null
  br i1 %goes.on, label %go.on, label %begin.at.zero
go.on:
  call void @llvm.memcpy.p0.p0.i64(ptr align 64 %totals, ptr %lanes, i64 %bytes.totals, i1 false)
  br label %rows.test
begin.at.zero:
  %bytes.sums = mul i64 %sum.count, 8
  call void @llvm.memset.p0.i64(ptr %sums, i8 0, i64 %bytes.sums, i1 false)
  call void @llvm.memset.p0.i64(ptr align 64 %totals, i8 0, i64 %bytes.totals, i1 false)
  br label %rows.test

rows.test:
  %any.rows = icmp ne i64 %rows, 0
  br i1 %any.rows, label %group.one, label %finish
group.one:
  %row = phi i64 [ 0, %rows.test ], [ %end, %group.done ]
  %full.left = sub i64 %full.end, %row
  %full = call i64 @llvm.umin.i64(i64 %full.left, i64 %group)
  %end = add i64 %row, %full
  %any.full = icmp ne i64 %full, 0
  br i1 %any.full, label %full.place, label %left.test
full.place:
  call void @place(i64 %column.count, ptr %columns, ptr %strides, ptr %buffers, i64 %apart, ptr %ins, i64 %row, i64 %full, i1 %packs)
  br label %left.test
left.test:
  %is.end = icmp eq i64 %end, %full.end
  %with.left = and i1 %is.end, %any.left
  br i1 %with.left, label %left.place, label %part
left.place:
  call void @llvm.memset.p0.i64(ptr align 64 %last.totals, i8 0, i64 %bytes.totals, i1 false)
  call void @place(i64 %column.count, ptr %columns, ptr %strides, ptr %last.buffers, i64 1, ptr %last.ins, i64 %full.end, i64 %left, i1 %packs)
  %before = mul i64 %full.end, -8
  br label %divert
divert:
  %d = phi i64 [ 0, %left.place ], [ %d.next, %divert.one ]
  %d.more = icmp ult i64 %d, %out.count
  br i1 %d.more, label %divert.one, label %part
divert.one:
  %d.buffer = getelementptr <$W x double>, ptr %out.buffers, i64 %d
  %d.virtual = getelementptr i8, ptr %d.buffer, i64 %before
  %d.at = getelementptr ptr, ptr %last.outs, i64 %d
  store ptr %d.virtual, ptr %d.at
  %d.next = add i64 %d, 1
  br label %divert

part:
  %k = phi i64 [ 0, %left.test ], [ 0, %divert ], [ %k.next, %part.done ]
  %k.more = icmp ult i64 %k, %part.count
  br i1 %k.more, label %part.one, label %group.done
part.one:
  %part.at = getelementptr ptr, ptr %parts, i64 %k
  %function = load ptr, ptr %part.at
  br i1 %any.full, label %part.full, label %part.left.test
part.full:
  call void %function(ptr %ins, ptr %outs, ptr %shared, ptr %scratch, ptr %totals, i64 %row, i64 %end, ptr %sums, i64 $W)
  br label %part.left.test
part.left.test:
  br i1 %with.left, label %part.left, label %part.done
part.left:
  %beyond = add i64 %full.end, $W
  call void %function(ptr %last.ins, ptr %last.outs, ptr %shared, ptr %last.scratch, ptr %last.totals, i64 %full.end, i64 %beyond, ptr %sums, i64 %left)
  br label %part.done
part.done:
  %k.next = add i64 %k, 1
  br label %part
group.done:
  br i1 %is.end, label %deliver.test, label %group.one

deliver.test:
  br i1 %any.left, label %deliver, label %finish
deliver:
  %c = phi i64 [ 0, %deliver.test ], [ %c.next, %deliver.one ]
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

; The rows of the last block are added to their lanes, and then the lanes, pair by pair. Where no rows
; are left there are no last totals: to read memory that was never written, masked out, takes a processor very long.
; Four totals at a time: the last one may be written again, with the same bits.
finish:
  %left.one = insertelement <$W x i64> poison, i64 %left, i64 0
  %left.all = shufflevector <$W x i64> %left.one, <$W x i64> poison, <$W x i32> zeroinitializer
  %is.row = icmp ult <$W x i64> <$LANES>, %left.all
  %last.or.any = select i1 %any.left, ptr %last.totals, ptr %totals
  %last.total = sub i64 %total.count, 1
  br label %finish.test
finish.test:
  %t = phi i64 [ 0, %finish ], [ %t.next, %finish.four ]
  %t.more = icmp ult i64 %t, %total.count
  br i1 %t.more, label %finish.four, label %keep
finish.four:
; 4 times:
  %t.after# = add i64 %t, #
  %t# = call i64 @llvm.umin.i64(i64 %t.after#, i64 %last.total)
  %t.lanes.at# = getelementptr <$W x double>, ptr %totals, i64 %t#
  %t.lanes# = load <$W x double>, ptr %t.lanes.at#
  %t.last.at# = getelementptr <$W x double>, ptr %last.or.any, i64 %t#
  %t.last# = load <$W x double>, ptr %t.last.at#
  %t.rows# = select <$W x i1> %is.row, <$W x double> %t.last#, <$W x double> zeroinitializer
  %t.both# = fadd <$W x double> %t.lanes#, %t.rows#
  %t.sum# = call reassoc double @llvm.vector.reduce.fadd.v${W}f64(double -0.0, <$W x double> %t.both#)
  %t.place.at# = getelementptr i64, ptr %total.places, i64 %t#
  %t.place# = load i64, ptr %t.place.at#
  %t.sum.at# = getelementptr double, ptr %sums, i64 %t.place#
  store double %t.sum#, ptr %t.sum.at#
; end.
  %t.next = add i64 %t, 4
  br label %finish.test

keep:
  br i1 %goes.on, label %keep.lanes, label %end.of.rows
keep.lanes:
  call void @llvm.memcpy.p0.p0.i64(ptr %lanes, ptr align 64 %totals, i64 %bytes.totals, i1 false)
  br label %end.of.rows
end.of.rows:
  call void @free(ptr %allocated)
  ret void
}

; Run a program over rows: all that there is to compute.
define void @kernel(ptr %record, i64 %rows, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %sums, ptr %lanes) {
  call void @once(ptr %record, ptr %shared)
  call void @rows(ptr %record, i64 %rows, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %sums, ptr %lanes)
  ret void
}

; Run a program over rows. Each chunk of them is added up on its own: its sums are a line of %sums.
; Where nothing is added up, there is one chunk.
define void @chunks(ptr %record, i64 %rows, i64 %chunk, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %sums, ptr %lanes) {
entry:
$LOADS
  %any.totals = icmp ne i64 %sum.count, 0
  %most = select i1 %any.totals, i64 %chunk, i64 %rows
  call void @once(ptr %record, ptr %shared)
  br label %chunk.one
chunk.one:
  %begin = phi i64 [ 0, %entry ], [ %end, %move ]
  %line = phi ptr [ %sums, %entry ], [ %line.next, %move ]
  %left = sub i64 %rows, %begin
  %count = call i64 @llvm.umin.i64(i64 %left, i64 %most)
  call void @rows(ptr %record, i64 %count, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %line, ptr %lanes)
  %end = add i64 %begin, %count
  %line.next = getelementptr double, ptr %line, i64 %sum.count
  %more = icmp ult i64 %end, %rows
  br i1 %more, label %move, label %done
move: ; the columns, to the next chunk
  %k = phi i64 [ 0, %chunk.one ], [ %k.next, %move.one ]
  %k.more = icmp ult i64 %k, %column.count
  br i1 %k.more, label %move.one, label %chunk.one
move.one:
  %stride.at = getelementptr i64, ptr %strides, i64 %k
  %stride = load i64, ptr %stride.at
  %bytes = mul i64 %stride, %count
  %column.at = getelementptr ptr, ptr %columns, i64 %k
  %column = load ptr, ptr %column.at
  %column.next = getelementptr i8, ptr %column, i64 %bytes
  store ptr %column.next, ptr %column.at
  %k.next = add i64 %k, 1
  br label %move
done:
  ret void
}

; Run a program as a call says, which holds what `kernel` takes, one after another: Python hands over
; one argument in a third of the time of eight.
define void @bound(ptr %call) {
entry:
  %record.at = getelementptr i64, ptr %call, i64 0
  %record = load ptr, ptr %record.at
  %rows.at = getelementptr i64, ptr %call, i64 1
  %rows = load i64, ptr %rows.at
  %columns.at = getelementptr i64, ptr %call, i64 2
  %columns = load ptr, ptr %columns.at
  %strides.at = getelementptr i64, ptr %call, i64 3
  %strides = load ptr, ptr %strides.at
  %outs.at = getelementptr i64, ptr %call, i64 4
  %outs = load ptr, ptr %outs.at
  %shared.at = getelementptr i64, ptr %call, i64 5
  %shared = load ptr, ptr %shared.at
  %sums.at = getelementptr i64, ptr %call, i64 6
  %sums = load ptr, ptr %sums.at
  %lanes.at = getelementptr i64, ptr %call, i64 7
  %lanes = load ptr, ptr %lanes.at
  call void @kernel(ptr %record, i64 %rows, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %sums, ptr %lanes)
  ret void
}
