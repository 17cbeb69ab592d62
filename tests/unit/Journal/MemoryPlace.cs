using Couic.Journal;
using Couic.Native;

namespace Couic.Tests.Journal;

/// <summary>A disk in memory: it can be full, fail, and lose what was not synced.</summary>
internal sealed class MemoryPlace : IJournalPlace
{
    private Output? _published;
    private readonly byte[]? _given;

    public MemoryPlace(byte[]? content = null) => _given = content;

    /// <summary>Bytes that still fit, over all files.</summary>
    public long Room { get; set; } = long.MaxValue;

    /// <summary>What an operation returns: create, append, sync, truncate, publish.</summary>
    public Func<string, Errno>? Fails { get; set; }

    /// <summary>Runs before each operation.</summary>
    public Action<string>? Before { get; set; }

    public List<string> Operations { get; } = [];

    public List<byte[]> Aside { get; } = [];

    public string? OpenFault { get; set; }

    /// <summary>Whether another program has taken the journal away.</summary>
    public bool IsTaken { get; set; }

    /// <summary>The journal as a reader finds it now.</summary>
    public byte[]? Content => _published is null ? _given : [.. _published.Data];

    /// <summary>What of the journal is on the disk for certain.</summary>
    public byte[]? Synced => _published is not { } published ? _given : [.. published.Data.Take(published.Synced)];

    /// <summary>The journal as a power failure leaves it: what was synced, and a part of the rest.</summary>
    public byte[]? AfterPowerFailure(Random random) => _published is not { } published ? _given
        : [.. published.Data.Take(published.Synced + random.Next(published.Data.Count - published.Synced + 1))];

    public Stream? Open(out string? fault)
    {
        fault = OpenFault;
        return fault is null && Content is { } content ? new MemoryStream(content) : null;
    }

    public Errno TryCreate(out IJournalOutput? output, out string fault)
    {
        Errno error = Run("create");
        output = error == Errno.None ? new Output(this) : null;
        fault = error == Errno.None ? string.Empty : $"create: {error}";
        return error;
    }

    public Errno TryPublish(IJournalOutput output)
    {
        Errno error = Run("publish");
        if (error == Errno.None)
        {
            Room += _published?.Data.Count ?? 0;
            _published = (Output)output;
            IsTaken = false;
        }

        return error;
    }

    public void Discard(IJournalOutput output) => Room += ((Output)output).Data.Count;

    public bool IsInPlace(IJournalOutput output) => !IsTaken;

    public string? SetAside(DateTimeOffset now)
    {
        Aside.Add(Content ?? []);
        return "/"; // exists
    }

    private Errno Run(string operation)
    {
        Before?.Invoke(operation);
        Operations.Add(operation);
        return Fails?.Invoke(operation) ?? Errno.None;
    }

    private sealed class Output(MemoryPlace place) : IJournalOutput
    {
        public List<byte> Data { get; } = [];

        public int Synced { get; private set; }

        public Errno TryAppend(ReadOnlySpan<byte> data)
        {
            byte[] copy = data.ToArray();
            Errno error = place.Run("append");
            int fits = (int)Math.Min(place.Room, error == Errno.None ? copy.Length : copy.Length / 2);
            Data.AddRange(copy.AsSpan(0, fits));
            place.Room -= fits;
            return error != Errno.None ? error : fits < copy.Length ? Errno.ENOSPC : Errno.None;
        }

        public Errno TrySync()
        {
            Errno error = place.Run("sync");
            Synced = error == Errno.None ? Data.Count : Synced;
            return error;
        }

        public Errno TryTruncate(long length)
        {
            Errno error = place.Run("truncate");
            if (error == Errno.None)
            {
                place.Room += Data.Count - length;
                Data.RemoveRange((int)length, Data.Count - (int)length);
            }

            return error;
        }

        public void Dispose()
        {
        }
    }
}
