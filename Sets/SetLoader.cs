using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Sets;

/// <summary>Applies the set files: at startup the valid ones, at a reload all or nothing. Thread-safe.</summary>
public sealed partial class SetLoader(SetDirectory directory, RuleStore store, TimeProvider time, ILogger log)
{
    private const int ManyEntries = 50_000;

    private readonly Lock _one = new();
    private SetReload? _last;
    private SetMarks _loaded = new();

    /// <summary>The last load or attempt; null before startup.</summary>
    public SetReload? Last => Volatile.Read(ref _last);

    /// <summary>Called after each reload that changed the filter, with the actor.</summary>
    public Action<string, SetReload>? Reloaded { get; set; }

    /// <summary>
    /// Loads every valid set. An invalid one (owner, mode, a bad line, no room for it) is skipped and logged as an error: a broken
    /// file must not leave the machine without a filter.
    /// </summary>
    public SetReload Start()
    {
        lock (_one)
        {
            SetReload reload = Remember(Load(isStart: true, LockoutStance.Default, []) with { IsStart = true });
            GiveMemoryBack(reload);
            return reload;
        }
    }

    /// <summary>Applies the current files; if anything is invalid, nothing changes.</summary>
    /// <param name="actor">For the log: the name of a client or a signal.</param>
    /// <param name="stance">What happens to a change that may lock an operator out or loses most of a set.</param>
    /// <param name="requester">Addresses that the requester needs, besides those that the guard knows.</param>
    public SetReload Reload(string actor, LockoutStance stance = LockoutStance.Default, IReadOnlyList<ProtectedAddress>? requester = null)
    {
        lock (_one)
        {
            SetReload reload = Remember(Load(isStart: false, stance, requester ?? []));
            if (reload.Status == SetReloadStatus.Ok)
            {
                LogReloaded(actor, reload);
                Reloaded?.Invoke(actor, reload);
            }
            else
            {
                LogReloadFailed(log, actor, reload.Message);
            }

            GiveMemoryBack(reload);
            return reload;
        }
    }

    /// <summary>Objections to a change of one file of ignore, without those that the current files have already.</summary>
    /// <param name="entries">The new content of the file; null to delete it.</param>
    /// <exception cref="IOException">A folder cannot be read.</exception>
    public List<LockoutObjection> ObjectionsToIgnore(string name, IEnumerable<Cidr>? entries)
    {
        lock (_one)
        {
            using var images = new SetImages(directory, store.Limits);
            images.Read(Policies.All);
            using var others = new SetImages(directory, store.Limits) { Skipped = (Policy.Ignore, name) };
            others.Read(Policy.Ignore);
            SetImage changed = others.Ignore;
            if (entries is not null)
            {
                changed.BeginSet(System.Text.Encoding.ASCII.GetBytes(name + SetFile.Suffix));
                foreach (Cidr entry in entries)
                {
                    changed.Add(entry);
                }
            }

            HashSet<LockoutObjection> known = [.. store.Guard.ObjectionsToSets(images.Ignore, images.Drop, []).Select(question => question.Objection)];
            return [.. store.Guard.ObjectionsToSets(changed, images.Drop, []).Select(question => question.Objection).Where(objection => !known.Contains(objection))];
        }
    }

    /// <summary>The entries of the valid files of ignore, sorted.</summary>
    /// <exception cref="IOException">A folder cannot be read.</exception>
    public SetImage ReadIgnore()
    {
        lock (_one)
        {
            using var images = new SetImages(directory, store.Limits);
            images.Read(Policy.Ignore);
            images.Ignore.Sort();
            return images.Ignore;
        }
    }

    /// <summary>The sets of a policy with their state, by name, then files that are gone or ignored.</summary>
    /// <exception cref="IOException">A folder cannot be read.</exception>
    public List<SetState> States(Policy policy) => SetStates.Of(directory, store, Volatile.Read(ref _loaded), policy);

    /// <summary>Differences between the files and the filter, one line each; empty when there are none.</summary>
    public IReadOnlyList<string> Faults()
    {
        if (Last is not { } last)
        {
            return [];
        }

        if (!last.IsOk)
        {
            return [$"{(last.IsStart ? "sets were not loaded" : "the last reload of sets failed, nothing has changed")}: {last.PublicMessage} (fix that, then: couicctl sets reload)"];
        }

        try
        {
            return
            [
                .. last.Faults.GroupBy(fault => fault.File).Select(
                    file => $"set file \"{file.Key}\" is skipped: {file.First().WithoutText()}{(file.Count() == 1 ? string.Empty : $" (and {file.Count() - 1} further faults)")} (fix that, then: couicctl sets reload)"),
                .. Volatile.Read(ref _loaded).Compare(directory).Select(
                    file => $"set file \"{file.Path}\" {file.Change} since sets were loaded (couicctl sets reload)"),
            ];
        }
        catch (IOException e)
        {
            return [e.Message];
        }
    }

    /// <summary>Reading many entries takes a multiple of the memory that stays in use, and the next collection may be hours away.</summary>
    private static void GiveMemoryBack(SetReload reload)
    {
        if (reload.Drop.Total + reload.Ignore.Total > ManyEntries)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }
    }

    private SetReload Remember(SetReload reload)
    {
        Volatile.Write(ref _last, reload);
        return reload;
    }

    private SetReload Load(bool isStart, LockoutStance stance, IReadOnlyList<ProtectedAddress> requester)
    {
        try
        {
            using var images = new SetImages(directory, store.Limits);
            images.Read(Policies.All);
            if (images.Faults.Count > 0 && !isStart)
            {
                return Fail(StatusOf(images), images, Summarise(images.Faults));
            }

            var questions = new SetQuestions(store, images.Ignore, images.Drop, isStart, stance, requester);
            if (questions.Refusal is { } refusal)
            {
                return Fail(SetReloadStatus.Refused, images, refusal);
            }

            SetReplacementResult swap = store.ReplaceSets(images.Ignore, images.Drop);
            if (swap.Status == SetReplacementStatus.Done)
            {
                Volatile.Write(ref _loaded, images.Marks);
            }

            if (isStart)
            {
                LogStart(images, swap);
            }

            if (swap.Status == SetReplacementStatus.Done)
            {
                LogQuestions(questions);
                store.Guard.Withheld.ReplaceOfSets(questions.LeftOut);
            }

            LogMappedNetworks(images);

            return swap.Status == SetReplacementStatus.Done
                ? new SetReload(SetReloadStatus.Ok, time.GetUtcNow(), images.Count, swap.Ignore, swap.Drop, string.Empty, images.Faults) { Warnings = questions.Warnings }
                : Fail(swap.Status == SetReplacementStatus.Refused ? SetReloadStatus.Failed : SetReloadStatus.NoRoom, images, swap.Message);
        }
        catch (IOException e)
        {
            if (isStart)
            {
                LogStartFailed(log, e.Message);
            }

            return new SetReload(SetReloadStatus.Failed, time.GetUtcNow(), 0, default, default, e.Message, []);
        }
    }

    private SetReload Fail(SetReloadStatus status, SetImages images, string message) =>
        new(status, time.GetUtcNow(), images.Count, default, default, message, images.Faults);

    private static SetReloadStatus StatusOf(SetImages images) => images.HasFailed ? SetReloadStatus.Failed
        : images.HasOverflowed ? SetReloadStatus.NoRoom
        : SetReloadStatus.BadFile;

    private static string Summarise(List<SetFault> faults) =>
        faults.Count == 1 ? faults[0].ToString() : $"{faults[0]} (and {faults.Count - 1} further faults)";

    private void LogStart(SetImages images, SetReplacementResult swap)
    {
        foreach (IGrouping<string, SetFault> file in images.Faults.GroupBy(fault => fault.File))
        {
            LogSkipped(log, file.Key, Summarise([.. file]));
        }

        if (swap.Status == SetReplacementStatus.Done)
        {
            LogLoaded(log, images.Count, swap.Drop.Total, swap.Ignore.Total);
        }
        else
        {
            LogStartFailed(log, swap.Message);
        }
    }

    private void LogQuestions(SetQuestions questions)
    {
        foreach (string entry in questions.LeftOut)
        {
            LogEntryLeftOut(log, entry);
        }

        foreach (string warning in questions.Warnings)
        {
            LogWarning(log, warning);
        }
    }

    private void LogReloaded(string actor, SetReload reload)
    {
        foreach (Policy policy in Policies.All)
        {
            SetReplacementCounts counts = reload.Of(policy);
            LogReloadedPolicy(log, policy.Name(), actor, counts.Added, counts.Removed, counts.TakenOver, counts.Unchanged);
        }
    }

    private void LogMappedNetworks(SetImages images)
    {
        foreach ((string path, int count) in images.Mapped)
        {
            LogMapped(log, path, count);
        }
    }

    [LoggerMessage(EventName = "sets_loaded", Level = LogLevel.Information,
        Message = "sets loaded: {sets} files, {drop} entries of drop, {ignore} of ignore")]
    private static partial void LogLoaded(ILogger log, int sets, int drop, int ignore);

    [LoggerMessage(EventName = "set_skipped", Level = LogLevel.Error, Message = "set file {file} is skipped: {cause}")]
    private static partial void LogSkipped(ILogger log, string file, string cause);

    [LoggerMessage(EventName = "sets_load_failed", Level = LogLevel.Error, Message = "sets cannot be loaded: {cause}")]
    private static partial void LogStartFailed(ILogger log, string cause);

    [LoggerMessage(EventName = "sets_reloaded", Level = LogLevel.Information,
        Message = "sets reloaded: {policy}, by {actor}: {added} added, {removed} removed, {taken} taken over, {unchanged} unchanged")]
    private static partial void LogReloadedPolicy(
        ILogger log, string policy, string actor, int added, int removed, int taken, int unchanged);

    [LoggerMessage(EventName = "sets_reload_failed", Level = LogLevel.Error, Message = "reload of sets by {actor} failed, nothing changed: {cause}")]
    private static partial void LogReloadFailed(ILogger log, string actor, string cause);

    [LoggerMessage(EventName = "set_entry_left_out", Level = LogLevel.Error, Message = "entry skipped: {entry}")]
    private static partial void LogEntryLeftOut(ILogger log, string entry);

    [LoggerMessage(EventName = "sets_warning", Level = LogLevel.Warning, Message = "sets: {warning}")]
    private static partial void LogWarning(ILogger log, string warning);

    [LoggerMessage(EventName = "set_matches_no_ipv4", Level = LogLevel.Warning,
        Message = "set file {file} has {count} IPv4-mapped IPv6 blocks: they match no IPv4 packet")]
    private static partial void LogMapped(ILogger log, string file, int count);
}

public enum SetReloadStatus : byte
{
    /// <summary>The filter matches the files.</summary>
    Ok,

    /// <summary>A file is invalid; nothing changed.</summary>
    BadFile,

    /// <summary>The sets do not fit into the tables, or their files into the limits; nothing changed.</summary>
    NoRoom,

    /// <summary>The guard refuses the change; nothing changed.</summary>
    Refused,

    /// <summary>Reading failed, or the data plane refused; nothing changed.</summary>
    Failed,
}

/// <summary>How a reload of all sets ended.</summary>
/// <param name="Time">UTC.</param>
/// <param name="Sets">The number of set files of both policies.</param>
/// <param name="Message">Empty on success, else one line that names file, line and text.</param>
/// <param name="Faults">Faults of the files, at most <see cref="SetFile.MaxFaults"/>; at startup those of the skipped sets.</param>
public sealed record SetReload(
    SetReloadStatus Status,
    DateTimeOffset Time,
    int Sets,
    SetReplacementCounts Ignore,
    SetReplacementCounts Drop,
    string Message,
    IReadOnlyList<SetFault> Faults)
{
    /// <summary>What was done but may be a mistake; bounded.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Whether it was the startup, which skips invalid files, rather than a reload.</summary>
    public bool IsStart { get; init; }

    /// <summary><see cref="Message"/> without the text of any file, for clients that may not read them.</summary>
    public string PublicMessage => Message.Length == 0 || Faults.Count == 0 ? Message
        : Faults.Count == 1 ? Faults[0].WithoutText()
        : $"{Faults[0].WithoutText()} (and {Faults.Count - 1} further faults)";

    public bool IsOk => Status == SetReloadStatus.Ok;

    public SetReplacementCounts Of(Policy policy) => policy == Policy.Ignore ? Ignore : Drop;
}
