using System.Globalization;
using Couic.Store;

namespace Couic.Sets;

/// <summary>
/// What is doubtful about the sets as they are to be: who would be locked out, and which set loses most of its entries. At a start
/// what the mode refuses is taken out of the image; at a reload it refuses the whole.
/// </summary>
internal sealed class SetQuestions
{
    /// <summary>Texts that are kept; a list of bogons objects once for each address that it covers.</summary>
    private const int MaxTexts = 100;

    /// <summary>A set that keeps less than a tenth of its entries has lost most of them, if it had so many.</summary>
    private const int FewEntries = 10;

    private readonly List<string> _warnings = [];
    private readonly List<string> _leftOut = [];
    private readonly List<string> _refusals = [];

    /// <summary>Asks the guard, and takes entries out of <paramref name="drop"/> at a start.</summary>
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

    /// <summary>Entries that a start leaves out, with the reason.</summary>
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
            // A set whose file is gone was deleted, which is as plain as can be.
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
