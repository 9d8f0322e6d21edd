; What Python calls: functions that take Python's objects, and run a kernel on the numbers in them.
;
; Python hands over its arguments as an array of objects. Every object begins with a header, which
; ends in the type; see `objects`. The header of a float is followed by the number, that of an array
; by what NumPy's C headers call PyArrayObject_fields: extension modules read these at fixed places,
; so that they stay there.

%array = type { ptr, i32, ptr, ptr, ptr, ptr, i32 } ; data, ndim, shape, strides, base, dtype, flags

declare ptr @PyTuple_GetItem(ptr, i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare ptr @PyTuple_New(i64)
declare ptr @PyLong_AsVoidPtr(ptr)
declare i64 @PyLong_AsSsize_t(ptr)
declare ptr @PyFloat_FromDouble(double)
declare ptr @PyBool_FromLong(i64)
declare void @Py_IncRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)

define internal i1 @is(ptr %object, ptr %type) alwaysinline {
  %at = getelementptr i8, ptr %object, i64 sub (i64 $HEADER, i64 8)
  %own = load ptr, ptr %at
  %same = icmp eq ptr %own, %type
  ret i1 %same
}

; The record of the kernel that a function is for, which is the first of the objects it is bound to.
define internal ptr @record(ptr %self) alwaysinline {
  %first = call ptr @PyTuple_GetItem(ptr %self, i64 0)
  %record = call ptr @PyLong_AsVoidPtr(ptr %first)
  ret ptr %record
}

; Run a program on a single row: from a float for each column to the only output, or to a tuple of
; all outputs. Returns None unless the arguments are a float for each column. It is for some hundred
; numbers at most, as they lie on the stack.
define ptr @of_floats(ptr %self, ptr %args, i64 %count) {
entry:
  %record = call ptr @record(ptr %self)
$LOADS
  %as.many = icmp eq i64 %count, %column.count
  br i1 %as.many, label %begin, label %refuse
refuse:
  call void @Py_IncRef(ptr inttoptr (i64 $NONE to ptr))
  ret ptr inttoptr (i64 $NONE to ptr)
begin:
  %columns = alloca ptr, i64 %column.count
  %strides = alloca i64, i64 %column.count
  %numbers = alloca double, i64 %out.count
  %outs = alloca ptr, i64 %out.count
  %shared = alloca double, i64 %room
  br label %in
in:
  %k = phi i64 [ 0, %begin ], [ %k.next, %in.one ]
  %k.more = icmp ult i64 %k, %count
  br i1 %k.more, label %in.look, label %out
in.look:
  %arg.at = getelementptr ptr, ptr %args, i64 %k
  %arg = load ptr, ptr %arg.at
  %is.float = call i1 @is(ptr %arg, ptr inttoptr (i64 $FLOAT to ptr))
  br i1 %is.float, label %in.one, label %refuse
in.one:
  %x = getelementptr i8, ptr %arg, i64 $HEADER
  %column.at = getelementptr ptr, ptr %columns, i64 %k
  store ptr %x, ptr %column.at
  %stride.at = getelementptr i64, ptr %strides, i64 %k
  store i64 0, ptr %stride.at
  %k.next = add i64 %k, 1
  br label %in
out:
  %o = phi i64 [ 0, %in ], [ %o.next, %out.one ]
  %o.more = icmp ult i64 %o, %out.count
  br i1 %o.more, label %out.one, label %run
out.one:
  %number.at = getelementptr double, ptr %numbers, i64 %o
  %out.at = getelementptr ptr, ptr %outs, i64 %o
  store ptr %number.at, ptr %out.at
  %o.next = add i64 %o, 1
  br label %out
run:
  call void @kernel(ptr %record, i64 1, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr null, ptr null)
  %is.single = icmp eq i64 %out.count, 1
  br i1 %is.single, label %single, label %several
single:
  %only = load double, ptr %numbers
  %only.float = call ptr @PyFloat_FromDouble(double %only)
  ret ptr %only.float
several:
  %tuple = call ptr @PyTuple_New(i64 %out.count)
  %failed = icmp eq ptr %tuple, null
  br i1 %failed, label %done, label %fill
fill:
  %f = phi i64 [ 0, %several ], [ %f.next, %fill.one ]
  %f.more = icmp ult i64 %f, %out.count
  br i1 %f.more, label %fill.one, label %done
fill.one:
  %f.at = getelementptr double, ptr %numbers, i64 %f
  %f.number = load double, ptr %f.at
  %f.float = call ptr @PyFloat_FromDouble(double %f.number)
  call i32 @PyTuple_SetItem(ptr %tuple, i64 %f, ptr %f.float)
  %f.next = add i64 %f, 1
  br label %fill
done:
  ret ptr %tuple
}

; The address of an array's data, or null for None.
define internal ptr @data(ptr %object) alwaysinline {
  %is.none = icmp eq ptr %object, inttoptr (i64 $NONE to ptr)
  %data.at = getelementptr i8, ptr %object, i64 $HEADER
  %data = load ptr, ptr %data.at
  %either = select i1 %is.none, ptr null, ptr %data
  ret ptr %either
}

; Run a program over arrays: its arguments are the number of rows, and how many of them make a chunk
; (see @chunks), the shared numbers with room for all that are kept, the array for the totals, that
; for their lanes (see @kernel), an array for each output and a column for each input. All but the
; columns are arrays of doubles, one after another, or None. Returns False, and does nothing, if a
; column is neither a float nor an array of doubles in even steps, one for all rows or one for each.
define ptr @of_arrays(ptr %self, ptr %args, i64 %count) {
entry:
  %record = call ptr @record(ptr %self)
$LOADS
  %rows.object = load ptr, ptr %args
  %rows = call i64 @PyLong_AsSsize_t(ptr %rows.object)
  %chunk.at = getelementptr ptr, ptr %args, i64 1
  %chunk.object = load ptr, ptr %chunk.at
  %chunk = call i64 @PyLong_AsSsize_t(ptr %chunk.object)
  %shared.at = getelementptr ptr, ptr %args, i64 2
  %shared.object = load ptr, ptr %shared.at
  %shared = call ptr @data(ptr %shared.object)
  %sums.at = getelementptr ptr, ptr %args, i64 3
  %sums.object = load ptr, ptr %sums.at
  %sums = call ptr @data(ptr %sums.object)
  %lanes.at = getelementptr ptr, ptr %args, i64 4
  %lanes.object = load ptr, ptr %lanes.at
  %lanes = call ptr @data(ptr %lanes.object)
  %out.args = getelementptr ptr, ptr %args, i64 5
  %column.args = getelementptr ptr, ptr %out.args, i64 %out.count
  %expected.but.outs = add i64 %column.count, 5
  %expected = add i64 %expected.but.outs, %out.count
  %as.many = icmp eq i64 %count, %expected
  br i1 %as.many, label %begin, label %refuse
refuse:
  %false = call ptr @PyBool_FromLong(i64 0)
  ret ptr %false
begin:
  %pairs = shl i64 %column.count, 1
  %words = add i64 %pairs, %out.count
  %bytes = shl i64 %words, 3
  %columns = call ptr @malloc(i64 %bytes) ; as a thread may have little stack
  %strides = getelementptr i64, ptr %columns, i64 %column.count
  %outs = getelementptr i64, ptr %columns, i64 %pairs
  br label %out
out:
  %o = phi i64 [ 0, %begin ], [ %o.next, %out.one ]
  %o.more = icmp ult i64 %o, %out.count
  br i1 %o.more, label %out.one, label %column
out.one:
  %out.from = getelementptr ptr, ptr %out.args, i64 %o
  %out.object = load ptr, ptr %out.from
  %out.data = call ptr @data(ptr %out.object)
  %out.to = getelementptr ptr, ptr %outs, i64 %o
  store ptr %out.data, ptr %out.to
  %o.next = add i64 %o, 1
  br label %out
column:
  %k = phi i64 [ 0, %out ], [ %k.next, %place ]
  %k.more = icmp ult i64 %k, %column.count
  br i1 %k.more, label %look, label %run
look:
  %arg.at = getelementptr ptr, ptr %column.args, i64 %k
  %arg = load ptr, ptr %arg.at
  %inside = getelementptr i8, ptr %arg, i64 $HEADER
  %is.float = call i1 @is(ptr %arg, ptr inttoptr (i64 $FLOAT to ptr))
  br i1 %is.float, label %place, label %look.array
look.array:
  %is.array = call i1 @is(ptr %arg, ptr inttoptr (i64 $NDARRAY to ptr))
  br i1 %is.array, label %look.dtype, label %odd
look.dtype:
  %dtype.at = getelementptr %array, ptr %inside, i64 0, i32 5
  %dtype = load ptr, ptr %dtype.at
  %is.double = icmp eq ptr %dtype, inttoptr (i64 $DOUBLE to ptr)
  br i1 %is.double, label %look.size, label %odd
look.size:
  %data = load ptr, ptr %inside
  %ndim.at = getelementptr %array, ptr %inside, i64 0, i32 1
  %ndim.narrow = load i32, ptr %ndim.at
  %ndim = zext i32 %ndim.narrow to i64
  %shape.at = getelementptr %array, ptr %inside, i64 0, i32 2
  %shape = load ptr, ptr %shape.at
  br label %multiply
multiply:
  %d = phi i64 [ 0, %look.size ], [ %d.next, %multiply.one ]
  %size = phi i64 [ 1, %look.size ], [ %size.next, %multiply.one ]
  %d.more = icmp ult i64 %d, %ndim
  br i1 %d.more, label %multiply.one, label %fits
multiply.one:
  %length.at = getelementptr i64, ptr %shape, i64 %d
  %length = load i64, ptr %length.at
  %size.next = mul i64 %size, %length
  %d.next = add i64 %d, 1
  br label %multiply
fits:
  %is.one = icmp eq i64 %size, 1
  br i1 %is.one, label %place, label %fits.rows
fits.rows:
  %is.all = icmp eq i64 %size, %rows
  br i1 %is.all, label %look.order, label %odd
look.order:
  %flags.at = getelementptr %array, ptr %inside, i64 0, i32 6
  %flags = load i32, ptr %flags.at
  %is.in.order = trunc i32 %flags to i1
  br i1 %is.in.order, label %place, label %look.stride
look.stride:
  %is.flat = icmp eq i64 %ndim, 1
  br i1 %is.flat, label %step, label %odd
step:
  %steps.at = getelementptr %array, ptr %inside, i64 0, i32 3
  %steps = load ptr, ptr %steps.at
  %own.step = load i64, ptr %steps
  br label %place
place:
  %first = phi ptr [ %inside, %look ], [ %data, %fits ], [ %data, %look.order ], [ %data, %step ]
  %stride = phi i64 [ 0, %look ], [ 0, %fits ], [ 8, %look.order ], [ %own.step, %step ]
  %column.at = getelementptr ptr, ptr %columns, i64 %k
  store ptr %first, ptr %column.at
  %stride.at = getelementptr i64, ptr %strides, i64 %k
  store i64 %stride, ptr %stride.at
  %k.next = add i64 %k, 1
  br label %column
odd:
  call void @free(ptr %columns)
  br label %refuse
run:
  %thread = call ptr @PyEval_SaveThread()
  call void @chunks(ptr %record, i64 %rows, i64 %chunk, ptr %columns, ptr %strides, ptr %outs, ptr %shared, ptr %sums, ptr %lanes)
  call void @free(ptr %columns)
  call void @PyEval_RestoreThread(ptr %thread)
  %true = call ptr @PyBool_FromLong(i64 1)
  ret ptr %true
}

; Return True if the arguments are arrays of doubles, all of one shape.
define ptr @are_alike(ptr %self, ptr %args, i64 %count) {
entry:
  br label %array
array:
  %k = phi i64 [ 0, %entry ], [ %k.next, %next ]
  %first = phi ptr [ null, %entry ], [ %inside, %next ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %look, label %done
look:
  %arg.at = getelementptr ptr, ptr %args, i64 %k
  %arg = load ptr, ptr %arg.at
  %inside = getelementptr i8, ptr %arg, i64 $HEADER
  %is.array = call i1 @is(ptr %arg, ptr inttoptr (i64 $NDARRAY to ptr))
  br i1 %is.array, label %look.dtype, label %done
look.dtype:
  %dtype.at = getelementptr %array, ptr %inside, i64 0, i32 5
  %dtype = load ptr, ptr %dtype.at
  %is.double = icmp eq ptr %dtype, inttoptr (i64 $DOUBLE to ptr)
  br i1 %is.double, label %look.ndim, label %done
look.ndim:
  %is.first = icmp eq i64 %k, 0
  %other = select i1 %is.first, ptr %inside, ptr %first
  %ndim.at = getelementptr %array, ptr %inside, i64 0, i32 1
  %ndim = load i32, ptr %ndim.at
  %other.ndim.at = getelementptr %array, ptr %other, i64 0, i32 1
  %other.ndim = load i32, ptr %other.ndim.at
  %has.ndim = icmp eq i32 %ndim, %other.ndim
  br i1 %has.ndim, label %look.shape, label %done
look.shape:
  %shape.at = getelementptr %array, ptr %inside, i64 0, i32 2
  %shape = load ptr, ptr %shape.at
  %other.shape.at = getelementptr %array, ptr %other, i64 0, i32 2
  %other.shape = load ptr, ptr %other.shape.at
  br label %axis
axis:
  %d = phi i32 [ 0, %look.shape ], [ %d.next, %look.length ]
  %d.more = icmp ult i32 %d, %ndim
  br i1 %d.more, label %look.length, label %next
look.length:
  %length.at = getelementptr i64, ptr %shape, i32 %d
  %length = load i64, ptr %length.at
  %other.length.at = getelementptr i64, ptr %other.shape, i32 %d
  %other.length = load i64, ptr %other.length.at
  %d.next = add i32 %d, 1
  %has.length = icmp eq i64 %length, %other.length
  br i1 %has.length, label %axis, label %done
next:
  %k.next = add i64 %k, 1
  br label %array
done:
  %are.alike = icmp eq i64 %k, %count
  %answer = zext i1 %are.alike to i64
  %result = call ptr @PyBool_FromLong(i64 %answer)
  ret ptr %result
}
