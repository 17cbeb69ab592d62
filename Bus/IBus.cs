namespace Couic.Bus;

/// <summary>
/// What a message bus has to offer: a log that keeps the last value of each key, read from any sequence in order and then live, and written
/// with acknowledgements. It knows no rules: keys are words joined by dots, values are bytes. Calls return at once; callbacks come from any
/// thread, but never from inside a call.
/// </summary>
internal interface IBus : IDisposable
{
    /// <summary>The log's clock, which is the same for every node whatever their own clocks are; defined while the log is open.</summary>
    DateTimeOffset Now { get; }

    /// <summary>Connects, stays connected until disposal, and reports to the client.</summary>
    void Start(IBusClient client);

    /// <summary>Writes values. The callback is called exactly once, within <see cref="BusLimits.PublishLimit"/> and a second.</summary>
    void Publish(IReadOnlyList<BusValue> values, Action<BusReceipts> done);

    /// <summary>Deletes the messages with these sequences, never a later one of the same key; those that do not exist count as deleted.</summary>
    /// <param name="done">Called exactly once with the number of sequences, from the first, that are deleted.</param>
    void Delete(IReadOnlyList<ulong> sequences, Action<int> done);

    /// <summary>Asks the client again where to read from (<see cref="IBusClient.OnOpened"/>).</summary>
    void Reopen();
}

/// <summary>What a bus calls back: one call at a time, in the order of the events. Only <see cref="OnPolled"/> may come beside <see cref="OnMessages"/>.</summary>
internal interface IBusClient
{
    /// <summary>The log can be used, after a connection or <see cref="IBus.Reopen"/>.</summary>
    /// <returns>The first sequence to read; 1 for all.</returns>
    ulong OnOpened(BusLog log);

    /// <summary>The next messages, in the order of their sequences. Reading continues when the call returns.</summary>
    /// <param name="pending">Messages that are stored and were not delivered yet.</param>
    void OnMessages(IReadOnlyList<BusMessage> messages, ulong pending);

    /// <summary>The state of the log, every <see cref="BusLimits.PollInterval"/> while it is open.</summary>
    /// <param name="pending">Messages that are stored and were not delivered yet.</param>
    void OnPolled(BusLog log, ulong pending);

    /// <summary>The log cannot be used; the bus tries again.</summary>
    void OnClosed(string cause);
}

/// <summary>A log as a whole.</summary>
/// <param name="Server">The server that answers, for the operator.</param>
/// <param name="Identity">Differs for a log that was deleted and created again.</param>
/// <param name="Messages">Keys that have a value.</param>
internal sealed record BusLog(string Server, string Identity, ulong LastSequence, ulong Messages);

/// <param name="Key">Words joined by dots.</param>
internal readonly record struct BusValue(string Key, ReadOnlyMemory<byte> Value);

/// <param name="Value">Null when it is larger than <see cref="BusLimits.MaxValueBytes"/>.</param>
/// <param name="StoredAt">By the log's clock.</param>
internal readonly record struct BusMessage(string Key, ReadOnlyMemory<byte>? Value, ulong Sequence, DateTimeOffset StoredAt);

/// <summary>The outcome of a publication.</summary>
/// <param name="Sequences">One per value; 0 where the log did not acknowledge it.</param>
/// <param name="Fault">The cause of the first of those; null when there is none.</param>
internal readonly record struct BusReceipts(ulong[] Sequences, string? Fault);

internal static class BusLimits
{
    /// <summary>Values in one publication.</summary>
    public const int MaxBatch = 512;

    /// <summary>A value of a rule has at most some 330 bytes; the rest is for later versions.</summary>
    public const int MaxValueBytes = 4_096;

    /// <summary>How long a publication waits for its acknowledgements.</summary>
    public static readonly TimeSpan PublishLimit = TimeSpan.FromSeconds(5);

    /// <summary>Between two looks at the state of the log.</summary>
    public static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(10);
}
