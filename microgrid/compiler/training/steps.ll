; Steps of a training, one after another: the gradient of a batch, its clipping, the optimizer's rule.
;
; What a step works on is in a record: see `steps.TrainingRecord`. Its kernels are records as well, which
; the kernel function of driver.ll runs.

declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

; Set pointers to columns to where a batch begins in them.
define internal void @move(i64 %count, ptr %from, ptr %to, i64 %row) {
entry:
  br label %test
test:
  %k = phi i64 [ 0, %entry ], [ %k.next, %one ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %one, label %done
one:
  %from.at = getelementptr ptr, ptr %from, i64 %k
  %base = load ptr, ptr %from.at
  %moved = getelementptr double, ptr %base, i64 %row
  %to.at = getelementptr ptr, ptr %to, i64 %k
  store ptr %moved, ptr %to.at
  %k.next = add i64 %k, 1
  br label %test
done:
  ret void
}

; Divide numbers, eight at a time: there is room for seven more behind them.
define internal void @divide(i64 %count, ptr %from, ptr %to, double %by) {
entry:
  %by.one = insertelement <8 x double> poison, double %by, i64 0
  %by.all = shufflevector <8 x double> %by.one, <8 x double> poison, <8 x i32> zeroinitializer
  br label %test
test:
  %k = phi i64 [ 0, %entry ], [ %k.next, %some ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %some, label %done
some:
  %from.at = getelementptr double, ptr %from, i64 %k
  %x = load <8 x double>, ptr %from.at, align 8
  %share = fdiv <8 x double> %x, %by.all
  %to.at = getelementptr double, ptr %to, i64 %k
  store <8 x double> %share, ptr %to.at, align 8
  %k.next = add i64 %k, 8
  br label %test
done:
  ret void
}

; Say whether numbers are finite, eight at a time as well: x - x is 0 then, and nan is not.
define internal i1 @are.finite(i64 %count, ptr %numbers) {
entry:
  br label %test
test:
  %k = phi i64 [ 0, %entry ], [ %k.next, %some ]
  %nothing = phi <8 x double> [ zeroinitializer, %entry ], [ %nothing.next, %some ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %some, label %done
some:
  %at = getelementptr double, ptr %numbers, i64 %k
  %x = load <8 x double>, ptr %at, align 8
  %none = fsub <8 x double> %x, %x
  %nothing.next = fadd <8 x double> %nothing, %none
  %k.next = add i64 %k, 8
  br label %test
done:
  %are.nothing = fcmp oeq <8 x double> %nothing, zeroinitializer
  %mask = bitcast <8 x i1> %are.nothing to i8
  %all = icmp eq i8 %mask, -1
  ret i1 %all
}

; Take steps until all are taken, or one would leave a number that is not finite. Returns how many
; were taken. Of one that was not, nothing stays but its gradients and its loss.
define i64 @train(ptr %record, i64 %steps) {
entry:
$LOADS
  %all.bytes = mul i64 %made.count, 8
  %parameter.bytes = mul i64 %parameters, 8
  %state.count = sub i64 %made.count, %parameters
  %state.bytes = mul i64 %state.count, 8
  %made.state = getelementptr double, ptr %made, i64 %parameters
  %rate.to = getelementptr double, ptr %rule.shared, i64 0
  %step.to = getelementptr double, ptr %rule.shared, i64 1
  %gradient.sums = getelementptr double, ptr %sums, i64 1
  %clips = icmp ne ptr %clip.record, null
  br label %test
test:
  %s = phi i64 [ 0, %entry ], [ %s.next, %keep ]
  %more = icmp ult i64 %s, %steps
  br i1 %more, label %step, label %done
step:
  %first.at = getelementptr i64, ptr %firsts, i64 %s
  %first = load i64, ptr %first.at
  %size.at = getelementptr i64, ptr %sizes, i64 %s
  %size = load i64, ptr %size.at
  %rate.at = getelementptr double, ptr %rates, i64 %s
  %rate = load double, ptr %rate.at
  call void @move(i64 %columns, ptr %columns.from, ptr %columns.now, i64 %first)
  call void @move(i64 %outs, ptr %outs.from, ptr %outs.now, i64 %first)
  call void %kernel(ptr %loss.record, i64 %size, ptr %columns.now, ptr %strides, ptr %outs.now, ptr %shared, ptr %sums, ptr null)
  %rows = uitofp i64 %size to double
  %loss.to = getelementptr double, ptr %losses, i64 %s
  %loss.sum = load double, ptr %sums
  %loss = fdiv double %loss.sum, %rows
  store double %loss, ptr %loss.to
  call void @divide(i64 %parameters, ptr %gradient.sums, ptr %gradients, double %rows)
  %sum.count = add i64 %parameters, 1
  %sums.are.finite = call i1 @are.finite(i64 %sum.count, ptr %sums)
  br i1 %sums.are.finite, label %clip, label %done
clip:
  br i1 %clips, label %clip.begin, label %update
clip.begin:
  call void @llvm.memcpy.p0.p0.i64(ptr %clip.shared, ptr %gradients, i64 %parameter.bytes, i1 false)
  call void %kernel(ptr %clip.record, i64 0, ptr null, ptr null, ptr null, ptr %clip.shared, ptr null, ptr null)
  br label %clip.one
clip.one:
  %c = phi i64 [ 0, %clip.begin ], [ %c.next, %clip.one ]
  %place.at = getelementptr i64, ptr %clip.places, i64 %c
  %place = load i64, ptr %place.at
  %clipped.at = getelementptr double, ptr %clip.shared, i64 %place
  %clipped = load double, ptr %clipped.at
  %clipped.to = getelementptr double, ptr %gradients, i64 %c
  store double %clipped, ptr %clipped.to
  %c.next = add i64 %c, 1
  %c.more = icmp ult i64 %c.next, %parameters
  br i1 %c.more, label %clip.one, label %update
update:
  store double %rate, ptr %rate.to
  %before = add i64 %taken, %s
  %count = add i64 %before, 1
  %step.number = uitofp i64 %count to double
  store double %step.number, ptr %step.to
  call void %kernel(ptr %rule.record, i64 %parameters, ptr %rule.columns, ptr %rule.strides, ptr %rule.outs, ptr %rule.shared, ptr null, ptr null)
  %is.finite = call i1 @are.finite(i64 %made.count, ptr %made)
  br i1 %is.finite, label %keep, label %done
keep:
  call void @llvm.memcpy.p0.p0.i64(ptr %shared, ptr %made, i64 %parameter.bytes, i1 false)
  call void @llvm.memcpy.p0.p0.i64(ptr %state, ptr %made.state, i64 %state.bytes, i1 false)
  store i64 %count, ptr %taken.field
  %s.next = add i64 %s, 1
  br label %test
done:
  ret i64 %s
}
