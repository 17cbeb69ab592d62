using System.Buffers;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>Items of a bulk request that are applied together: the changes they ask for, and those that were rejected as they were read.</summary>
internal sealed class BulkStretch
{
    private const int Size = 512;

    /// <summary>Metadata that items may hold together, in bytes, give or take one item.</summary>
    private const int MaxMetadataBytes = 64 * 1024;

    private ChangeRequest[] _changes = [];
    private long[] _indexes = [];
    private int _count;
    private int _metadataBytes;

    /// <summary>The changes, and once they are made what became of them.</summary>
    public Span<ChangeRequest> Changes => _changes.AsSpan(0, _count);

    /// <summary>Rejected items, first those that were as they were read.</summary>
    public List<BulkJob.Rejection> Rejections { get; } = [];

    public bool IsEmpty => _count == 0 && Rejections.Count == 0;

    public bool IsFull => _count == Size || Rejections.Count == Size || _metadataBytes >= MaxMetadataBytes;

    /// <summary>The place of the next change, to be filled.</summary>
    public ref ChangeRequest Add(long index, byte[]? metadata = null)
    {
        if (_changes.Length == 0)
        {
            _changes = ArrayPool<ChangeRequest>.Shared.Rent(Size); // 100 KB and more
            _indexes = ArrayPool<long>.Shared.Rent(Size);
        }

        _metadataBytes += metadata?.Length ?? 0;
        _changes[_count].Metadata = metadata;
        _indexes[_count] = index;
        return ref _changes[_count++];
    }

    /// <summary>Which item of the request a change is.</summary>
    public long Index(int change) => _indexes[change];

    public void Clear()
    {
        Changes.Clear();
        Rejections.Clear();
        _count = 0;
        _metadataBytes = 0;
    }

    /// <summary>Gives the memory back. Only when it is clear.</summary>
    public void Release()
    {
        if (_changes.Length > 0)
        {
            ArrayPool<ChangeRequest>.Shared.Return(_changes);
            ArrayPool<long>.Shared.Return(_indexes);
            _changes = [];
            _indexes = [];
        }
    }
}
