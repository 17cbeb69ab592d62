using System.Net;
using System.Net.Sockets;
using Couic.Config;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Names;

/// <summary>
/// Turns host names into addresses for the whole process. A lookup blocks its thread for up to a minute while name servers do not
/// answer, so lookups have separate threads, one per name at a time. Callers get the last good addresses. Thread-safe.
/// </summary>
public sealed class HostResolver : IDisposable
{
    /// <summary>Concurrent lookups. One thread is reserved for names whose last lookup was quick.</summary>
    public const int Threads = 4;

    /// <summary>Names in the cache: 64 peers, a webhook, and as many of an earlier configuration.</summary>
    public const int MaxNames = 130;

    /// <summary>Addresses in the cache per name.</summary>
    private const int MaxAddresses = 16;

    /// <summary>The C library does not report the TTL of an answer; this is the shortest one in common use.</summary>
    private static readonly TimeSpan RefreshPeriod = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    /// <summary>A name that was not requested for this long is evicted.</summary>
    private static readonly TimeSpan KeepPeriod = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(1);

    private readonly object _gate = new();
    private readonly Dictionary<string, Name> _names = new(StringComparer.OrdinalIgnoreCase);
    private readonly Func<string, IPAddress[]> _lookup;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private int _threads;
    private bool _isEnded;

    public HostResolver(TimeProvider time, ILogger log)
        : this(time, log, Dns.GetHostAddresses)
    {
    }

    /// <param name="lookup">Queries the name servers; may block and throw.</param>
    internal HostResolver(TimeProvider time, ILogger log, Func<string, IPAddress[]> lookup)
    {
        _time = time;
        _log = log;
        _lookup = lookup;
    }

    /// <summary>The cached addresses, without waiting. An address needs no lookup.</summary>
    public HostAddresses Find(string host)
    {
        if (HostText.TryParseAddress(host, out IPAddress? address))
        {
            return new HostAddresses([address], null);
        }

        lock (_gate)
        {
            return Want(host)?.Known ?? new HostAddresses([], "too many names are looked up");
        }
    }

    /// <summary>The addresses of a host. Awaits the first lookup of a name, without blocking a thread.</summary>
    /// <exception cref="UnresolvedHostException">None is known within the limit.</exception>
    public async ValueTask<IReadOnlyList<IPAddress>> ResolveAsync(string host, TimeSpan limit, CancellationToken cancel)
    {
        HostAddresses known = Find(host);
        if (known is { Addresses.Count: 0, Cause: null } && FirstLookupOf(host) is { } first)
        {
            try
            {
                await first.WaitAsync(limit, _time, cancel).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                throw new UnresolvedHostException(host, "name servers do not answer");
            }

            known = Find(host);
        }

        return known.Addresses.Count > 0 ? known.Addresses : throw new UnresolvedHostException(host, known.Cause ?? "not looked up yet");
    }

    /// <summary>Ends the threads; one that waits for a name server ends after its lookup.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isEnded = true;
            Monitor.PulseAll(_gate);
        }
    }

    private Task? FirstLookupOf(string host)
    {
        lock (_gate)
        {
            return _names.TryGetValue(host, out Name? name) ? name.FirstLookup.Task : null;
        }
    }

    private Name? Want(string host)
    {
        if (!_names.TryGetValue(host, out Name? name))
        {
            if (_names.Count >= MaxNames && !TryForget(_names.Values.Where(one => !one.IsBusy).MinBy(one => one.WantedAt)))
            {
                return null;
            }

            name = new Name(host) { DueAt = _time.GetTimestamp() };
            _names.Add(host, name);
            Monitor.Pulse(_gate);
        }

        name.WantedAt = _time.GetTimestamp();
        StartThreads();
        return name;
    }

    private bool TryForget(Name? name) => name is not null && _names.Remove(name.Host);

    private void StartThreads()
    {
        while (_threads < Threads && !_isEnded)
        {
            bool takesSlowOnes = _threads > 0;
            var thread = new Thread(() => Run(takesSlowOnes)) { IsBackground = true, Name = "resolver" };
            try
            {
                thread.Start();
            }
            catch (OutOfMemoryException)
            {
                return; // the system has no thread now; the next request tries again
            }

            _threads++;
        }
    }

    private void Run(bool takesSlowOnes)
    {
        while (!Volatile.Read(ref _isEnded))
        {
            if (!InternalErrors.Run(Place.Resolver, _log, () => LookUpNext(takesSlowOnes)))
            {
                Thread.Sleep(FirstPause);
            }
        }
    }

    private void LookUpNext(bool takesSlowOnes)
    {
        if (TakeDue(takesSlowOnes) is not { } name)
        {
            return;
        }

        long start = _time.GetTimestamp();
        IPAddress[] found = [];
        string? cause = "the lookup failed";
        try
        {
            found = _lookup(name.Host);
            cause = found.Length == 0 ? "the name has no address" : null;
        }
        catch (SocketException e)
        {
            cause = CauseOf(e.SocketErrorCode);
        }
        finally
        {
            Keep(name, found, cause, _time.GetElapsedTime(start));
        }
    }

    /// <summary>Waits until a lookup is due; names whose last lookup was quick are first. Null after disposal.</summary>
    private Name? TakeDue(bool takesSlowOnes)
    {
        lock (_gate)
        {
            while (!_isEnded)
            {
                long now = _time.GetTimestamp();
                Name? due = _names.Values.Where(name => !name.IsBusy && name.DueAt <= now && (takesSlowOnes || name.LastTook < Quick))
                    .MinBy(name => (name.LastTook, name.DueAt));
                if (due is null)
                {
                    Monitor.Wait(_gate, UntilNext(now));
                }
                else if (_time.GetElapsedTime(due.WantedAt, now) > KeepPeriod)
                {
                    TryForget(due);
                }
                else
                {
                    due.IsBusy = true;
                    return due;
                }
            }

            return null;
        }
    }

    private TimeSpan UntilNext(long now)
    {
        long next = _names.Values.Where(name => !name.IsBusy && name.DueAt > now).Select(name => name.DueAt).DefaultIfEmpty(long.MaxValue).Min();
        return next == long.MaxValue ? Timeout.InfiniteTimeSpan : _time.GetElapsedTime(now, next) + TimeSpan.FromMilliseconds(1);
    }

    private void Keep(Name name, IPAddress[] found, string? cause, TimeSpan took)
    {
        lock (_gate)
        {
            name.IsBusy = false;
            name.LastTook = took;
            name.Failures = cause is null ? 0 : name.Failures + 1;
            name.Known = cause is null ? new HostAddresses(found[..Math.Min(found.Length, MaxAddresses)], null) : name.Known with { Cause = cause };
            TimeSpan pause = cause is null ? RefreshPeriod : FirstPause * (1 << Math.Min(name.Failures - 1, 5));
            pause = pause < RefreshPeriod ? pause : RefreshPeriod;
            name.DueAt = _time.GetTimestamp() + (long)(pause.TotalSeconds * _time.TimestampFrequency);
            Monitor.PulseAll(_gate);
        }

        name.FirstLookup.TrySetResult();
    }

    private static string CauseOf(SocketError error) => error switch
    {
        SocketError.TryAgain or SocketError.TimedOut => "name servers do not answer",
        SocketError.HostNotFound => "no such name",
        SocketError.NoData => "the name has no address",
        _ => $"the lookup failed ({error})",
    };

    private sealed class Name(string host)
    {
        public string Host => host;

        public HostAddresses Known { get; set; } = new([], null);

        public TaskCompletionSource FirstLookup { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsBusy { get; set; }

        public int Failures { get; set; }

        public TimeSpan LastTook { get; set; }

        public long DueAt { get; set; }

        public long WantedAt { get; set; }
    }
}

/// <summary>What the resolver knows about a host.</summary>
/// <param name="Addresses">Those of the last lookup that succeeded, or none.</param>
/// <param name="Cause">Why the last lookup failed; null when it did not, or none has ended.</param>
public readonly record struct HostAddresses(IReadOnlyList<IPAddress> Addresses, string? Cause);

/// <summary>No address of a host is known.</summary>
public sealed class UnresolvedHostException(string host, string cause) : IOException($"cannot resolve \"{host}\": {cause}");
