using System.Globalization;
using Couic.Store;

namespace Couic.Sets;

/// <summary>
/// Finds what is doubtful about the new sets: operators that would be locked out, and sets that lose most of their entries. At startup
/// refused entries are removed from the image; a reload is refused as a whole.
/// </summary>
internal sealed class SetQuestions
{
    /// <summary>Texts per list; a list of bogons causes one objection per address that it covers.</summary>
    private const int MaxTexts = 100;

    /// <summary>Sets below this size are not checked for the loss of most entries.</summary>
    private const int FewEntries = 10;

    private readonly List<string> _warnings = [];
    private readonly List<string> _leftOut = [];
    private readonly List<string> _refusals = [];

    /// <summary>Queries the guard, and removes entries from <paramref name="drop"/> at startup.</summary>
    public SetQuestions(RuleStore store, SetImage ignore, SetImage drop, bool isStart, LockoutStance stance, IReadOnlyList<ProtectedAddress> requester)
    {
        LockoutGuard guard = store.Guard;
        bool IsRefused(SetObjection question) => question.IsNew && guard.Refuses(question.Objection, stance);
        List<SetObjection> questions = guard.ObjectionsToSets(ignore, drop, requester);

        // An address may lie in several networks, of which the guard names the longest: again until none is left.
        while (isStart && questions.FindAll(question => question.Network is not null && IsRefused(question)) is { Count: > 0 } refused)
        {
            refused.ForEach(question => LeaveOut(drop, question.Network!.Value, question.Objection));
            questions = guard.ObjectionsToSets(ignore, drop, requester);
        }

        foreach (SetObjection question in questions)
        {
            bool isRefused = !isStart && IsRefused(question);
            (isRefused ? _refusals : _warnings).Add(isRefused ? question.Objection.Text : question.Objection.Reason);
        }

        foreach (Cidr broad in LockoutGuard.BroadNetworks)
        {
            if (guard.Mode != LockoutMode.Off && ignore.TryFind(broad, out string set))
            {
                _warnings.Add($"set {set}: {LockoutGuard.WarningOfIgnore(broad)}");
            }
        }

        if (!isStart && guard.Mode != LockoutMode.Off)
        {
            bool refuses = stance == LockoutStance.Refuse || (stance == LockoutStance.Default && guard.Mode == LockoutMode.Refuse);
            AddLosses(store, ignore, refuses);
            AddLosses(store, drop, refuses);
        }
    }

    public IReadOnlyList<string> Warnings => Bounded(_warnings);

    /// <summary>Entries that startup skips, with the reason.</summary>
    public IReadOnlyList<string> LeftOut => Bounded(_leftOut);

    /// <summary>Why the reload is refused; null when it is not.</summary>
    public string? Refusal => _refusals.Count == 0 ? null
        : _refusals[0] + (_refusals.Count == 1 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $" (and {_refusals.Count - 1} more)"));

    private void LeaveOut(SetImage drop, Cidr network, LockoutObjection objection)
    {
        if (drop.Remove(network))
        {
            _leftOut.Add(objection.Reason);
        }
    }

    private void AddLosses(RuleStore store, SetImage image, bool refuses)
    {
        Dictionary<string, int> lines = image.Sets.ToDictionary(set => set.Tag, set => set.Lines, StringComparer.Ordinal);
        foreach (TagUse use in store.Tags(image.Policy))
        {
            // A set without a file was deleted on purpose.
            if (use.Entries > 0 && lines.TryGetValue(use.Tag, out int left) && IsLoss(use.Entries, left))
            {
                string text = string.Create(
                    CultureInfo.InvariantCulture,
                    $"set {use.Tag} of {image.Policy.Name()} has {left} entries, and {use.Entries} are in force (is the file cut off?)");
                (refuses ? _refusals : _warnings).Add(refuses ? $"{text}; --force if that is meant" : text);
            }
        }
    }

    private static bool IsLoss(int before, int after) => after == 0 || (before >= FewEntries && after * 10L <= before);

    private static List<string> Bounded(List<string> texts) => texts.Count <= MaxTexts
        ? texts
        : [.. texts.Take(MaxTexts), string.Create(CultureInfo.InvariantCulture, $"and {texts.Count - MaxTexts} more")];
}
