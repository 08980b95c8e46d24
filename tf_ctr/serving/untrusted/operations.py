"""Operations that only compute: a graph of them reads and writes no file.

How the list was made: the operations of versions that tf_ctr exports, then the rest of
their families (`tf.math`, `tf.nn`, arrays, strings, ragged values, the parser of
examples, control flow), as registered by TensorFlow 2.21. A test compares it with the
registry: each name is registered, and each that TensorFlow calls stateful is named in
`STATEFUL` here. Left out on purpose although TensorFlow calls them stateless:
`ReadFile`, `ImmutableConst` and `DecodeProtoV2` (they read files that they are told),
`PyFuncStateless`, `RestoreV2` and `MergeV2Checkpoints`, data sets, and custom calls.
"""

from typing import Final

ARITHMETIC: Final = """
Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Any ApproximateEqual ArgMax ArgMin Asin
Asinh Atan Atan2 Atanh BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd Bincount
BitwiseAnd BitwiseOr BitwiseXor Bucketize Cast Ceil ClipByValue Complex ComplexAbs Cos
Cosh Cross Cumprod Cumsum CumulativeLogsumexp DenseBincount Digamma Div DivNoNan Einsum
Equal Erf Erfc Erfinv EuclideanNorm Exp Expm1 Floor FloorDiv FloorMod Greater
GreaterEqual Igamma Igammac Imag Inv Invert IsFinite IsInf IsNan L2Loss LeftShift Less
LessEqual Lgamma Log Log1p LogicalAnd LogicalNot LogicalOr MatMul MatrixBandPart
MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3
MatrixInverse MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 Max Maximum Mean Min Minimum
Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual Pow Prod Real RealDiv Reciprocal
RightShift Rint Round Rsqrt SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum
Sigmoid Sign Sin Sinh Sqrt Square SquaredDifference Sub Sum Tan Tanh TruncateDiv
TruncateMod UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
Xdivy Xlog1py Xlogy Zeta
""".split()

NETWORKS: Final = """
AvgPool AvgPool3D Conv2D Conv3D DepthwiseConv2dNative Elu FusedBatchNorm
FusedBatchNormV2 FusedBatchNormV3 InTopK InTopKV2 LeakyRelu LogSoftmax MaxPool
MaxPool3D Relu Relu6 Selu Softmax Softplus Softsign TopK TopKV2
""".split()

ARRAYS: Final = """
BatchToSpaceND Bitcast BroadcastArgs BroadcastTo Concat ConcatOffset
ConcatV2 Const Diag DiagPart DynamicPartition DynamicStitch
Empty EnsureShape ExpandDims Fill Gather GatherNd GatherV2 Identity IdentityN
InvertPermutation ListDiff LowerBound MirrorPad OneHot OnesLike Pack Pad PadV2
ParallelDynamicStitch Placeholder PlaceholderWithDefault PreventGradient Range Rank
Reshape Reverse ReverseSequence ReverseV2 Roll ScatterNd Select SelectV2 Shape ShapeN
Size Slice Snapshot SpaceToBatchND Split SplitV Squeeze StopGradient StridedSlice
TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
Tile Transpose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UpperBound
Where ZerosLike
""".split()

SPARSE_AND_RAGGED: Final = """
RaggedBincount RaggedGather RaggedRange RaggedTensorToSparse RaggedTensorToTensor
RaggedTensorToVariant RaggedTensorFromVariant SparseBincount SparseConcat
SparseFillEmptyRows SparseReduceMax SparseReduceSum SparseReorder SparseReshape
SparseSegmentMean SparseSegmentMeanWithNumSegments SparseSegmentSqrtN
SparseSegmentSqrtNWithNumSegments SparseSegmentSum SparseSegmentSumWithNumSegments
SparseSlice SparseSoftmax SparseTensorDenseMatMul SparseToDense
""".split()

STRINGS: Final = """
AsString DecodeBase64 DecodeRaw DecodePaddedRaw EncodeBase64 Fingerprint
ParseExample ParseExampleV2 ParseSingleExample ReduceJoin RegexFullMatch RegexReplace
StaticRegexFullMatch StaticRegexReplace StringJoin StringLength StringLower
StringSplit StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast
StringToHashBucketStrong StringToNumber StringUpper Substr UnicodeDecode
UnicodeDecodeWithOffsets UnicodeEncode UnicodeTranscode UnsortedSegmentJoin
""".split()

CONTROL: Final = """
Case Enter Exit If LoopCond Merge NextIteration NoOp PartitionedCall StatelessCase
StatelessIf StatelessWhile Switch TensorListConcatV2 TensorListElementShape
TensorListFromTensor TensorListGather TensorListGetItem TensorListLength
TensorListPopBack TensorListPushBack TensorListReserve TensorListResize
TensorListSetItem TensorListStack EmptyTensorList While
""".split()

# What TensorFlow calls stateful: variables and tables of the version itself, in memory,
# calls, assertions, and numbers drawn at random.
STATEFUL: Final = """
Assert AssignAddVariableOp AssignSubVariableOp AssignVariableOp Case CheckNumerics
DeepCopy StatelessRandomGetAlg
DestroyResourceOp DisableCopyOnRead Empty
HashTable HashTableV2 If InitializeTableV2
LookupTableExportV2 LookupTableFindV2 LookupTableImportV2 LookupTableSizeV2
Multinomial
MutableDenseHashTableV2 MutableHashTableV2 ParameterizedTruncatedNormal RandomGamma
RandomPoissonV2 RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt
ReadVariableOp ResourceGather ResourceGatherNd ResourceScatterAdd
ResourceScatterUpdate StatefulPartitionedCall
TruncatedNormal VarHandleOp VarIsInitializedOp VariableShape While
""".split()

STATELESS_RANDOM: Final = """
StatelessMultinomial StatelessRandomGetAlg StatelessRandomGetKeyCounter
StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform
StatelessRandomUniformFullInt StatelessRandomUniformInt StatelessRandomUniformIntV2
StatelessRandomUniformV2 StatelessTruncatedNormal StatelessTruncatedNormalV2
""".split()

ALLOWED: Final = frozenset(
    [
        *ARITHMETIC,
        *NETWORKS,
        *ARRAYS,
        *SPARSE_AND_RAGGED,
        *STRINGS,
        *CONTROL,
        *STATEFUL,
        *STATELESS_RANDOM,
    ]
)

# They read the file that their first or second input names: only an asset may be one.
# `{operation: the number of that input}`.
READS_ASSET: Final = {
    "ReadFile": 0,
    "InitializeTableFromTextFile": 1,
    "InitializeTableFromTextFileV2": 1,
}
